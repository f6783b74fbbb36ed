"""kill -9 under load: no message for which a 250 was read is lost."""
import os
import random
import threading
import time

from kit.case import free_port, wait_for
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Closed, Raw, content

FROM = "app@sender.example"
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))
CLIENTS = 8


class Load:
    """Clients that submit as fast as they can and note every 250 that they have read."""

    def __init__(self, port):
        self.port, self.accepted, self.sent = port, set(), 0
        self.lock, self.on = threading.Lock(), True
        self.threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(CLIENTS)]
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
                        # Now and then two domains: a message in two parts, settled apart.
                        to = [f"u{number}@d{number % 5}.example"] + (["v@other.example"] if number % 7 == 0 else [])
                        name = f"{client}-{number}"
                        self.sent += 1
                        code, _ = connection.message(FROM, to, content(extra=f"X-Id: {name}\r\n", body="x" * (200 * (number % 20)) + "\r\n"))
                        if code == 250:
                            with self.lock:
                                self.accepted.update((name, r) for r in to)
            except (Closed, OSError, AssertionError, ValueError):
                time.sleep(0.02)


def arrived(sink):
    """(id, recipient) to how often."""
    counts = {}
    with sink.lock:
        messages = list(sink.messages)
    for message in messages:
        for recipient in message.recipients:
            key = (message.field("X-Id")[0], recipient.split(">")[0].lstrip("<"))
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_kill_under_load(case):
    """Killed at random moments, started again, over and over: every accepted message arrives."""
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
    dice = random.Random(seed)
    sink = Sink(case, keep_content=False)
    repute = Repute(case, sink=sink, local=True, ports={"submission": free_port()}, listeners=("submission",))
    load = Load(repute.port)
    for _ in range(ROUNDS):
        time.sleep(dice.uniform(0.2, 1.5))
        repute.kill()
        repute.start()
    time.sleep(0.5)
    load.stop()
    repute.kill()
    repute.start()
    missing = None

    def all_there():
        nonlocal missing
        missing = load.accepted - arrived(sink).keys()
        return not missing
    try:
        wait_for("every accepted message at the sink", all_there, 60)
    except AssertionError:
        raise AssertionError(f"seed {seed}: {len(missing)} of {len(load.accepted)} accepted recipients are missing: {sorted(missing)[:5]}") from None
    counts = arrived(sink)
    twice = sum(1 for n in counts.values() if n > 1)
    unasked = len(counts.keys() - load.accepted)
    print(f"        seed {seed}: {ROUNDS + 1} kills, {load.sent} messages offered, {len(load.accepted)} recipients accepted, 0 missing, {twice} came twice, "
          f"{unasked} came without a 250 that was read")
    assert len(load.accepted) > 10 * ROUNDS, f"too little load to mean anything: {len(load.accepted)}"


def test_kill_while_the_receiver_is_down(case):
    """A queue that nothing can be delivered from survives many kills, whole."""
    sink = Sink(case, on_rcpt=lambda _: None if up.is_set() else "451 4.3.0 not now", keep_content=False)
    up = threading.Event()
    repute = Repute(case, sink=sink, local=True, ports={"submission": free_port()}, listeners=("submission",), more='[retry]\nfirst = "1s"\nmax_interval = "2s"\n')
    load = Load(repute.port)
    for _ in range(4):
        time.sleep(0.5)
        repute.kill()
        repute.start()
    load.stop()
    assert not sink.messages
    up.set()
    repute.kill()
    repute.start()
    wait_for("every accepted message at the sink", lambda: not load.accepted - arrived(sink).keys(), 60)
    assert load.accepted
