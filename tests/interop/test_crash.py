"""kill -9 under load: no message for which a 250 was read is lost."""
import threading
import time

from kit.case import free_port, wait_for
from kit.load import Killer, Load
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import content


def letter(client, number):
    """Of many sizes; now and then to two domains: a message in two parts, settled apart."""
    to = [f"u{number}@d{number % 5}.example"] + (["v@other.example"] if number % 7 == 0 else [])
    return to, content(extra=f"X-Id: {client}-{number}\r\n", body="x" * (200 * (number % 20)) + "\r\n")


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
    killer, sink = Killer(8), Sink(case, keep_content=False)
    repute = Repute(case, sink=sink, local=True, ports={"submission": free_port()}, listeners=("submission",))
    load = Load(repute.port, letter)
    killer.go(repute, load)
    missing = None

    def all_there():
        nonlocal missing
        missing = load.accepted - arrived(sink).keys()
        return not missing
    try:
        wait_for("every accepted message at the sink", all_there, 60)
    except AssertionError:
        raise AssertionError(f"seed {killer.seed}: {len(missing)} of {len(load.accepted)} accepted recipients are missing: {sorted(missing)[:5]}") from None
    counts = arrived(sink)
    twice = sum(1 for n in counts.values() if n > 1)
    unasked = len(counts.keys() - load.accepted)
    print(f"        seed {killer.seed}: {killer.kills} kills, {load.sent} messages offered, {len(load.accepted)} recipients accepted, 0 missing, {twice} came twice, "
          f"{unasked} came without a 250 that was read")
    assert len(load.accepted) > 10 * killer.rounds, f"too little load to mean anything: {len(load.accepted)}"


def test_kill_while_the_receiver_is_down(case):
    """A queue that nothing can be delivered from survives many kills, whole."""
    sink = Sink(case, on_rcpt=lambda _: None if up.is_set() else "451 4.3.0 not now", keep_content=False)
    up = threading.Event()
    repute = Repute(case, sink=sink, local=True, ports={"submission": free_port()}, listeners=("submission",), more='[retry]\nfirst = "1s"\nmax_interval = "2s"\n')
    load = Load(repute.port, letter)
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
