"""A disk that is full, read-only or failing: the client keeps its message, and all goes on afterwards."""
import base64
import fcntl
import http.client
import os
import re
import struct
import subprocess
import threading
import time

from kit.case import free_port, needs_room, wait_for
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Closed, Raw, content

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
FROM, TO = "app@sender.example", "bob@receiver.example"


def mount(case, *words):
    folder = case.folder / "disk"
    folder.mkdir()
    case.run(["mount", *words, folder])
    case.defer(lambda: case.run(["umount", "-l", folder]))
    return folder


def fill(disk):
    """To the last octet."""
    try:
        with open(disk / "ballast", "ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass


def offer(repute, subject, size=20_000):
    """The code of the reply to the end of data, or of an earlier refusal."""
    try:
        with Raw("127.0.0.1", repute.port) as client:
            for command in (f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>", "DATA"):
                code, _ = client.command(command)
                if code >= 400:
                    return code
            client.send(content(subject=subject) + (b"\r\n" + b"x" * 70) * (size // 72) + b"\r\n.\r\n")
            return client.reply()[0]
    except Closed:
        return 421


@needs_room
def test_full_disk(case):
    """4xx while the disk is full; everything that got a 250 is delivered; goes on by itself when there is space."""
    disk = mount(case, "-t", "tmpfs", "-o", "size=96m", "none")
    up = threading.Event()
    sink = Sink(case, on_rcpt=lambda _: None if up.is_set() else "451 4.3.0 not now")
    repute = Repute(case, sink=sink, local=True, state=disk / "state", more='[retry]\nfirst = "1s"\nmax_interval = "1s"\n')
    accepted = []
    codes = []
    for number in range(3000):
        codes.append(offer(repute, f"n{number}"))
        if codes[-1] == 250:
            accepted.append(f"n{number}")
        else:
            break
    assert accepted and 400 <= codes[-1] < 500, (len(accepted), codes[-1:])
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    for number in range(20):
        code = offer(repute, f"f{number}")
        if code == 250:
            accepted.append(f"f{number}")
        else:
            assert 400 <= code < 500, code
    assert repute.process.running()
    # What waits can be asked for all the same.
    assert len(repute.json("queue", "list")["rows"]) > 0
    up.set()
    ballast.unlink()
    wait_for("mail is taken again", lambda: offer(repute, "after") == 250, 30)
    accepted.append("after")

    def missing():
        with sink.lock:
            there = {m.field("Subject")[0] for m in sink.messages}
        return set(accepted) - there
    wait_for("every accepted message at the sink", lambda: not missing(), 60)
    print(f"        {len(accepted)} accepted, 0 missing")
    # And it holds over a restart.
    assert repute.stop() == 0
    repute.start()
    assert offer(repute, "again") == 250


@needs_room
def test_full_disk_is_told(case):
    """/readyz, status and incidents say that the disk is full, once; questions and commands work without an octet left."""
    disk = mount(case, "-t", "tmpfs", "-o", "size=90m", "none")
    sink = Sink(case, on_rcpt=lambda _: "451 4.3.0 not now")
    port = free_port()
    repute = Repute(case, sink=sink, local=True, state=disk / "state", more=f'[web]\nlisten = "127.0.0.1:{port}"\n')

    def ready():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    assert ready()[0] == 200
    accepted = 0
    while offer(repute, f"n{accepted}", 100_000) == 250:
        accepted += 1
        assert accepted < 3000
    for number in range(5):
        assert offer(repute, f"x{number}") == 452
    status, text = ready()
    assert status == 503 and "the disk of the state folder is full" in text, (status, text)
    assert "spool.disk (the spool): no mail is taken (452 over SMTP, 503 over HTTP)" in repute.command("status")
    incidents = repute.json("incidents", ok=(1,))
    assert [one["what"] for one in incidents if one["closed"] is None] == ["spool.disk"], incidents
    assert "make room" in incidents[0]["cure"]
    said = repute.process.said()
    assert said.count("spool.disk") == 1 and "4.3.1" not in said, said
    fill(disk)
    # Until the history has more to write than its log has room for.
    for _ in range(40):
        held = repute.json("queue", "hold", "--all")
        assert held["now"] + held["after_attempt"] == accepted, (held, accepted)
        began = time.monotonic()
        why = repute.command("why", TO)
        assert time.monotonic() - began < 15
        if "the last steps may be missing" in why:
            break
        repute.json("queue", "release", "--all")
    else:
        raise AssertionError("the history can still be written")

    def states():
        return {row["state"] for row in repute.json("queue", "list", "--limit", "3000")["rows"]}
    wait_for("all of it is held", lambda: states() == {"held"}, 30)
    (disk / "ballast").unlink()
    case.run(["mount", "-o", "remount,size=200m", disk])
    wait_for("mail is taken again", lambda: ready()[0] == 200, 30)
    wait_for("the incident is over", lambda: repute.command("incidents", ok=(0, 1)).strip() == "nothing is open", 40)
    assert repute.stop() == 0
    repute.start()
    wait_for("all of it is still held", lambda: states() == {"held"}, 30)


@needs_room
def test_read_only_disk(case):
    """A state folder that cannot be written is said at the start, in one sentence."""
    disk = mount(case, "-t", "tmpfs", "none")
    sink = Sink(case)
    repute = Repute(case, sink=sink, local=True, state=disk / "state", start=False)
    case.run(["mount", "-o", "remount,ro", disk])
    said = repute.command("serve", ok=(1, 2, 75), timeout=20)
    assert str(disk) in said and "panicked" not in said, said


EXT4_IOC_SHUTDOWN = 0x8004587D


@needs_room
def test_failing_disk(case):
    """The disk dies under load: 4xx from then on, and after repair every accepted message is there."""
    image = case.folder / "image"
    with open(image, "wb") as file:
        file.truncate(160 << 20)
    case.run(["mkfs.ext4", "-q", image])
    if subprocess.run(["losetup", "-f"], capture_output=True).returncode:
        from kit.case import Skip
        raise Skip("no loop devices here")
    disk = mount(case, "-o", "loop", image)
    up = threading.Event()
    sink = Sink(case, on_rcpt=lambda _: None if up.is_set() else "451 4.3.0 not now")
    repute = Repute(case, sink=sink, local=True, state=disk / "state", more='[retry]\nfirst = "1s"\nmax_interval = "1s"\n')
    accepted = [f"n{n}" for n in range(50) if offer(repute, f"n{n}") == 250]
    assert len(accepted) == 50
    handle = os.open(disk, os.O_RDONLY)
    # Flag 2: nothing more reaches the disk, not even the journal: what was not synced is gone.
    fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", 2))
    os.close(handle)
    codes = [offer(repute, f"x{n}") for n in range(10)]
    assert all(400 <= c < 500 for c in codes), codes
    repute.kill()
    case.run(["umount", disk])
    case.run(["mount", "-o", "loop", image, disk])
    up.set()
    repute.start()

    def missing():
        with sink.lock:
            return set(accepted) - {m.field("Subject")[0] for m in sink.messages}
    wait_for("every accepted message at the sink", lambda: not missing(), 60)
    time.sleep(0.2)


@needs_room
def test_cancelled_on_a_full_disk(case):
    """Without an octet left commands are answered at once, and mail that is cancelled makes room: mail is taken again."""
    disk = mount(case, "-t", "tmpfs", "-o", "size=160m", "none")
    sink = Sink(case, on_rcpt=lambda _: "451 4.3.0 not now")
    hook = f'[[webhook]]\nname = "shop"\nurl = "http://127.0.0.1:{free_port()}/"\nallow_private = true\nsecret = "{SECRET}"\n'
    repute = Repute(case, sink=sink, local=True, state=disk / "state", more=hook, start=False)
    repute.file.chmod(0o600)
    repute.start()
    accepted = 0
    while offer(repute, f"n{accepted}", 100_000) == 250:
        accepted += 1
        assert accepted < 3000
    fill(disk)

    def at_once(*words, ok=(0,)):
        began = time.monotonic()
        said = repute.command(*words, ok=ok, timeout=60)
        assert time.monotonic() - began < 15, (words, time.monotonic() - began)
        return said
    # Until the journal has no room either.
    for _ in range(20):
        held = at_once("queue", "hold", "--all")
        at_once("queue", "release", "--all")
        if "the disk refuses to be written" in held:
            break
    fill(disk)
    assert "shop" in at_once("webhook", "list")
    assert "evt_" in at_once("events")
    said = at_once("queue", "cancel", "--all")
    # Some may be under way since they were released.
    assert sum(map(int, re.findall(r"\d+", said.splitlines()[0]))) == accepted, (accepted, said)
    wait_for("mail is taken again", lambda: offer(repute, "after") == 250, 60)
    at_once("queue", "hold", "--all")
    assert len(repute.json("queue", "list")["rows"]) == 1
    assert repute.stop() == 0
    repute.start()
    assert len(repute.json("queue", "list")["rows"]) == 1, "what was cancelled stays so"
