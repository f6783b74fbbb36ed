"""Memory has its bounds: who comes when it is full is told 4xx, and nothing that was accepted is dropped for it."""
import os
import re
import resource
import socket
import threading

from kit.case import wait_for
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Raw, content

FROM, TO = "app@sender.example", "bob@receiver.example"
MIB = 1 << 20
CLIENTS, SIZE, ROOM = 24, 4 * MIB, 32 * MIB


def peak(process):
    """Octets of memory that the server has had at the most."""
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


def letter(name, size):
    return content(extra=f"X-Id: {name}\r\n", body=("x" * 98 + "\r\n") * (size // 100))


def test_more_content_than_memory(case):
    """Many clients stop within large messages: beyond the bound they are refused for now, the others end well."""
    sink = Sink(case, keep_content=False)
    repute = Repute(case, sink=sink, local=True, listeners=("submission",), more=f'[limits]\nincoming_memory = "{ROOM // MIB}MiB"\n')
    begun, answers, lock, go = peak(repute.process), {}, threading.Lock(), threading.Event()
    held, all_begun = threading.Semaphore(0), threading.Barrier(CLIENTS)

    def client(number):
        with Raw("127.0.0.1", repute.port, timeout=60) as connection:
            connection.expect(f"MAIL FROM:<{FROM}>", 250)
            connection.expect(f"RCPT TO:<{TO}>", 250)
            connection.expect("DATA", 354)
            # Who comes later is refused at DATA.
            all_begun.wait(60)
            connection.send(letter(number, SIZE))
            held.release()
            go.wait(60)
            connection.send(b"\r\n.\r\n")
            code, lines = connection.reply()
            with lock:
                answers[number] = code, lines
            if code != 250:
                # It comes again in a moment, over the same connection.
                again = connection.message(FROM, [TO], letter(number, SIZE))
                while again[0] != 250:
                    assert 400 <= again[0] < 500, again
                    again = connection.message(FROM, [TO], letter(number, SIZE))
    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert held.acquire(timeout=60), "the server does not read on"
    go.set()
    for thread in threads:
        thread.join(60)
    assert len(answers) == CLIENTS, f"{CLIENTS - len(answers)} clients never heard"
    codes = [code for code, _ in answers.values()]
    assert set(codes) <= {250, 451, 452} and 250 in codes and len(set(codes)) > 1, answers
    wait_for("all of it at the sink", lambda: len({m.field("X-Id")[0] for m in sink.messages}) == CLIENTS, 60)
    more = peak(repute.process) - begun
    assert more < ROOM + 160 * MIB, f"{more // MIB} MiB more than at the start"
    print(f"        {CLIENTS} clients with {SIZE // MIB} MiB each and room for {ROOM // MIB}: {codes.count(250)} taken at once, {more // MIB} MiB at the most")


def test_more_clients_than_files(case):
    """Where no file can be opened any more clients wait, an operator is told why, and later it goes on."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, local=True, listeners=("submission",))
    files = len(os.listdir(f"/proc/{repute.process.pid}/fd"))
    before = resource.prlimit(repute.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(repute.process.pid, resource.RLIMIT_NOFILE, (files + 10, before[1]))
    idle = [socket.create_connection(("127.0.0.1", repute.port)) for _ in range(20)]
    repute.wait_said("clients wait, because no more can be taken in")
    assert repute.process.said().count("clients wait") == 1
    resource.prlimit(repute.process.pid, resource.RLIMIT_NOFILE, before)
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message(FROM, [TO], content())[0] == 250
    for client in idle:
        client.close()
    sink.wait()


def test_a_queue_larger_than_memory(case):
    """What waits does not stay in memory, and comes out whole."""
    up = threading.Event()
    sink = Sink(case, on_rcpt=lambda _: None if up.is_set() else "451 4.3.0 not now", keep_content=False)
    repute = Repute(case, sink=sink, local=True, listeners=("submission",), more='[retry]\nfirst = "1s"\nmax_interval = "2s"\n')
    begun, count, size = peak(repute.process), 240, MIB
    with Raw("127.0.0.1", repute.port, timeout=60) as client:
        for number in range(count):
            code, lines = client.message(FROM, [TO], letter(number, size))
            assert code == 250, lines
    up.set()
    wait_for("all of it at the sink", lambda: len({m.field("X-Id")[0] for m in sink.messages}) == count, 90)
    more = peak(repute.process) - begun
    assert more < 160 * MIB, f"{more // MIB} MiB more than at the start, for a queue of {count * size // MIB}"
    print(f"        a queue of {count * size // MIB} MiB, {more // MIB} MiB at the most")
