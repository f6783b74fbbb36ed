"""Clients that submit as fast as they can, and a server that is killed under them."""
import os
import random
import threading
import time

from .smtp import Closed, Raw, content

FROM = "app@sender.example"


class Load:
    """Notes every 250 that was read.

    `letter(client, number)` is the recipients and the content of a client's next message; `mark(lines, client, number, to)` are
    the keys under which an accepted one is noted, from the lines of the reply to its content."""

    def __init__(self, port, letter=None, mark=None, clients=8):
        self.port, self.accepted, self.sent = port, set(), 0
        self.letter = letter or (lambda client, number: (["bob@receiver.example"], content()))
        self.mark = mark or (lambda lines, client, number, to: [(f"{client}-{number}", one) for one in to])
        self.lock, self.on = threading.Lock(), True
        self.threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.on = False
        for thread in self.threads:
            thread.join(30)

    def _client(self, client):
        number = 0
        while self.on:
            try:
                with Raw("127.0.0.1", self.port, timeout=10) as connection:
                    while self.on:
                        number += 1
                        to, octets = self.letter(client, number)
                        self.sent += 1
                        code, lines = connection.message(FROM, to, octets)
                        if code == 250:
                            with self.lock:
                                self.accepted.update(self.mark(lines, client, number, to))
            except (Closed, OSError, AssertionError, ValueError):
                time.sleep(0.02)


class Killer:
    """Kills a server at random moments (CRASH_SEED repeats them), CRASH_ROUNDS times or as often as is said."""

    def __init__(self, rounds):
        self.rounds = int(os.environ.get("CRASH_ROUNDS", rounds))
        self.seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
        self.dice = random.Random(self.seed)
        self.kills = 0

    def once(self, repute):
        repute.kill()
        self.kills += 1
        repute.start()

    def go(self, repute, load, between=(0.2, 1.5)):
        """All rounds, the end of the load, and once more when there is none."""
        for _ in range(self.rounds):
            time.sleep(self.dice.uniform(*between))
            self.once(repute)
        time.sleep(0.5)
        load.stop()
        self.once(repute)
