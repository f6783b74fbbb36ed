"""The server as a service: signals, sockets that are handed over, its user, its folder."""
import fcntl
import os
import pathlib
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time

from kit import room
from kit.case import free_port, needs, needs_room, wait_for, wait_port
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Closed, Raw, content, unverified

FROM, TO = "app@sender.example", "bob@receiver.example"


def world(case, **options):
    sink = Sink(case)
    return sink, Repute(case, sink=sink, local=True, **options)


def submit(repute, count=1, extra=""):
    with Raw("127.0.0.1", repute.port) as client:
        for _ in range(count):
            code, lines = client.message(FROM, [TO], content(extra=extra))
            assert code == 250, lines


def test_reload(case):
    """SIGHUP: a new account may log in at once; a faulty file changes nothing and is told."""
    sink, repute = world(case)
    with Raw("127.0.0.1", repute.port) as before:
        repute.append(repute.account("later", "another password"))
        repute.process.signal(signal.SIGHUP)
        repute.wait_said("repute: reloaded")
        with smtplib.SMTP("127.0.0.1", repute.port) as client:
            client.starttls(context=unverified())
            client.login("later", "another password")
        good = repute.file.read_text()
        repute.file.write_text(good + "nonsense = 1\n")
        repute.process.signal(signal.SIGHUP)
        repute.wait_said("not reloaded")
        with smtplib.SMTP("127.0.0.1", repute.port) as client:
            client.starttls(context=unverified())
            client.login("later", "another password")
        repute.file.write_text(good.replace('hostname = "mail.', 'hostname = "mx.'))
        repute.process.signal(signal.SIGHUP)
        repute.wait_said("hostname has changed and needs a restart")
        # A connection from before has not noticed.
        assert before.message(FROM, [TO], content())[0] == 250
    sink.wait()


def test_no_signal_but_those_that_stop_it_ends_it(case):
    """SIGUSR1 and SIGUSR2 are answered; a SIGHUP in the moment of a start is a reload after it; SIGQUIT is a stop."""
    sink, repute = world(case)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        repute.process.signal(number)
        repute.wait_said(f"repute: {number.name} does nothing here")
    submit(repute)
    sink.wait()
    repute.process.signal(signal.SIGQUIT)
    assert repute.process.wait(20) == 0, repute.process.said()
    # Reading the configuration takes until its last file is read: at first a pipe that nobody has written to yet.
    pipe = repute.folder / "imprint"
    os.mkfifo(pipe)
    repute.append(f'[web]\nlisten = "127.0.0.1:{free_port()}"\nimprint_file = "{pipe}"\n')
    repute.start(wait=False)
    with open(pipe, "w") as file:
        # It has it open now. The reload finds a file there.
        pipe.unlink()
        pipe.write_text("We are us.\n")
        repute.process.signal(signal.SIGHUP)
        file.write("We are us.\n")
    repute.wait_said("repute: reloaded")
    repute.wait_ready()


def waits(process):
    """How often each thread has given up a processor to wait for something, by name."""
    found = {}
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        name, status = (task / "comm").read_text().strip(), (task / "status").read_text()
        found[name] = found.get(name, 0) + int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return found


def test_nothing_to_do_is_nothing_done(case):
    """Where nothing comes and nothing is due, a second passes in which no thread wakes, also where rounds of the watch are
    switched off."""
    nothing_is_done(*world(case))
    nothing_is_done(*world(case, name="unwatched", more="[watch]\nconnect = false\n"))


def nothing_is_done(sink, repute):
    submit(repute, 3)
    sink.wait(3)
    quiet = 0
    for _ in range(60):
        before = waits(repute.process)
        time.sleep(1)
        after = waits(repute.process)
        woken = {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}
        quiet += not woken
        if quiet >= 5:
            return
    raise AssertionError(f"a minute, of which {quiet} seconds were quiet; woken in the last: {woken}")


def test_terminate_drains(case):
    """SIGTERM: what is under way is finished, nothing goes twice, nothing is left behind, exit code 0."""
    sink, repute = world(case)
    submit(repute, 20)
    sink.wait(20)
    sink.hold.clear()
    submit(repute, 5)
    time.sleep(0.5)
    repute.process.signal(signal.SIGTERM)
    time.sleep(1)
    assert repute.process.running(), "it did not wait for the receiver"
    try:
        Raw("127.0.0.1", repute.port)
        raise AssertionError("it takes new clients while it stops")
    except (OSError, Closed):
        pass
    sink.hold.set()
    assert repute.process.wait(40) == 0, repute.process.said()
    count = len(sink.messages)
    repute.start()
    sink.wait(25)
    time.sleep(1)
    assert len(sink.messages) == 25, f"{count} before the restart, {len(sink.messages)} after it"
    assert repute.stop() == 0


def test_idle_clients_do_not_hold_up_the_end(case):
    """SIGTERM with silent clients ends soon: they are told 421."""
    sink, repute = world(case)
    client = Raw("127.0.0.1", repute.port)
    began = time.monotonic()
    repute.process.signal(signal.SIGTERM)
    try:
        assert client.reply()[0] == 421
    except Closed:
        pass
    assert repute.process.wait(40) == 0
    assert time.monotonic() - began < 10, time.monotonic() - began


def queued(repute):
    return repute.json("queue", "list", ok=(0, 1))["rows"]


def test_queue_survives_a_restart(case):
    """What could not be delivered is delivered after a restart; operators can look, hold, release, cancel."""
    up = threading.Event()
    sink = Sink(case, on_rcpt=lambda _: None if up.is_set() else "451 4.2.1 mailbox busy")
    repute = Repute(case, sink=sink, local=True, more='[retry]\nfirst = "1s"\nmax_interval = "2s"\n')
    submit(repute, 3)
    wait_for("three messages are queued", lambda: len(queued(repute)) == 3)
    assert repute.stop() == 0
    assert len(queued(repute)) == 3, "without a server the spool itself is asked"
    repute.start()
    assert len(queued(repute)) == 3
    repute.command("queue", "hold", "--domain", "receiver.example", ok=(0,))
    # What is under way in that moment is held when its attempt has ended.
    wait_for("all of it is held", lambda: {row["state"] for row in queued(repute)} == {"held"})
    up.set()
    time.sleep(3)
    assert not sink.messages, "held mail went out"
    repute.command("queue", "release", "--domain", "receiver.example", ok=(0,))
    sink.wait(3)
    wait_for("the queue is empty", lambda: not queued(repute))
    assert "451" in repute.command("why", TO), repute.command("why", TO)


def test_failure_comes_back(case):
    """A refused recipient: a failure notice, RFC 3464, from <>, to the sender, once."""
    sink = Sink(case, on_rcpt=lambda text: "550 5.1.1 no such user here" if "nobody@" in text else None)
    repute = Repute(case, sink=sink, local=True)
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message(FROM, ["nobody@receiver.example", TO], content())[0] == 250
    messages = sink.wait(2, 3)
    notice = next(m for m in messages if m.sender == "")
    assert notice.recipients[0].startswith(f"<{FROM}>"), notice.recipients
    for text in (b"report-type=", b"delivery-status", b"Action: failed", b"Status: 5.1.1", b"nobody@receiver.example", b"no such user here"):
        assert text in notice.content, f"{text} is not in\n{notice.content.decode()}"
    # RFC 3461 §5.2.1: what the notice's own failure would cause is nothing.
    time.sleep(0.5)
    assert len(sink.messages) == 2


LAUNCHER = """
import os, socket, sys
sockets = [socket.create_server(("127.0.0.1", int(port)), backlog=64) for port in sys.argv[1].split(",")]
for number, s in enumerate(sockets):
    copy = os.dup2(os.dup(s.fileno()), 3 + number + 10)
for number in range(len(sockets)):
    os.dup2(3 + number + 10, 3 + number, inheritable=True)
os.environ.update(LISTEN_FDS=str(len(sockets)), LISTEN_PID=str(os.getpid()))
if sys.argv[2]:
    os.environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_socket_activation(case):
    """Sockets that systemd hands over, known by their port and by their name."""
    for names in ("", "submission:submissions"):
        ports = {"submission": free_port(), "submissions": free_port()}
        sink = Sink(case)
        repute = Repute(case, sink=sink, local=True, start=False, name=f"activated{len(names)}", ports=ports if not names else None)
        repute.start(wrap=[sys.executable, "-c", LAUNCHER, ",".join(map(str, ports.values())), names], close_fds=True)
        assert repute.ports == ports, (repute.ports, ports)
        submit(repute)
        sink.wait()
        assert repute.stop() == 0


@needs("systemd-socket-activate")
def test_systemd_socket_activate(case):
    """systemd's own launcher: the first client's connection starts the server and is served."""
    port = free_port()
    sink = Sink(case)
    repute = Repute(case, sink=sink, local=True, start=False, listeners=("submission",), ports={"submission": port})
    repute.start(wrap=["systemd-socket-activate", f"--listen=127.0.0.1:{port}"], wait=False)
    wait_port("127.0.0.1", port)
    repute.ports = {"submission": port}
    submit(repute)
    sink.wait()


@needs_room
@needs("systemd-analyze")
def test_the_unit_is_understood(case):
    """By the systemd of this machine, which may be older than the newest kinds of service."""
    for name in ("repute.service", "repute.socket"):
        unit = pathlib.Path(__file__).resolve().parents[2] / "packaging" / name
        said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60).stderr
        # Neither the program nor its manual is installed here.
        wrong = [line for line in said.splitlines() if name in line and "Command " not in line]
        assert not wrong, wrong
    assert "ExecReload=" in (unit.parent / "repute.service").read_text()


def test_root_is_given_up(case):
    """Started as root it binds 587, 465 and 25, becomes its user for good, and owns its folder."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, local=True, user=room.SERVICE, host="0.0.0.0",
                    ports={"submission": 587, "submissions": 465, "return": 25}, listeners=("submission", "submissions", "return"), start=False)
    text = repute.file.read_text()
    repute.file.write_text(text.replace('name = "sender.example"\n', 'name = "sender.example"\nreturn_path = "bounces.sender.example"\n', 1))
    repute.start()
    assert repute.ports == {"submission": 587, "submissions": 465, "return": 25}
    for task in pathlib.Path(f"/proc/{repute.process.pid}/task").iterdir():
        status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines() if ":" in line)
        assert status["Uid"].split() == [str(room.SERVICE_ID)] * 4, status["Uid"]
        assert status["Gid"].split() == [str(room.SERVICE_ID)] * 4, status["Gid"]
        assert "0" not in status["Groups"].split(), status["Groups"]
        assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0, status["CapEff"]
    submit(repute)
    sink.wait()
    for path in [repute.state, *repute.state.rglob("*")]:
        about = path.lstat()
        assert about.st_uid == room.SERVICE_ID, f"{path} belongs to {about.st_uid}"
        if path.suffix == ".pem" and "key" in path.name or "keys" in path.parts and path.is_file():
            assert about.st_mode & 0o077 == 0, f"{path} has mode {about.st_mode:o}"
    # And a restart as root finds everything in order.
    assert repute.stop() == 0
    repute.start()


@needs_room
def test_ambient_capability(case):
    """Started by systemd as its user with CAP_NET_BIND_SERVICE alone it binds 587."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, local=True, user=room.SERVICE, ports={"submission": 587}, listeners=("submission",), start=False)
    repute.state.mkdir(exist_ok=True)
    os.chown(repute.state, room.SERVICE_ID, room.SERVICE_ID)
    repute.start(wrap=["setpriv", f"--reuid={room.SERVICE_ID}", f"--regid={room.SERVICE_ID}", "--clear-groups",
                       "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"])
    submit(repute)
    sink.wait()


def test_configurations_that_are_refused(case):
    """A wrong key, a wrong type, a missing file: exit code 2, with file, line and cure."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, start=False)
    good = repute.file.read_text()
    for change, words in {
        good.replace("hostname", "hostnmae", 1): ("repute.toml:1:", "hostname"),
        good + "[log]\nformat = 7\n": ("repute.toml:", "format"),
        good + '[tls]\ncertificate = "/nonexistent.pem"\nkey = "/nonexistent.key"\n': ("/nonexistent.pem", "fix"),
    }.items():
        repute.file.write_text(change)
        said = repute.command("config", "check", ok=(2,))
        for word in words:
            assert word in said, f"{word} is not in:\n{said}"
        repute.command("serve", ok=(2,), timeout=10)
    repute.file.write_text(good)
    repute.command("config", "check")


def test_a_port_that_is_taken(case):
    """Says which, and how to find who has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        repute = Repute(case, ports={"submission": taken.getsockname()[1]}, start=False)
        said = repute.command("serve", ok=(1, 2, 75), timeout=10)
        assert "in use" in said, said


def test_another_process_that_has_the_spool_is_waited_for(case):
    """It is told at once, since it may be another server; the start goes on when that one ends."""
    _, repute = world(case)
    repute.stop()
    with (repute.state / "spool" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        repute.start(wait=False)
        repute.wait_said("another process uses the spool")
        assert "repute: ready" not in repute.process.said()
    repute.wait_ready()
    submit(repute)
