"""One test: its folder, its processes, and what they said."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import room


class Skip(Exception):
    """The test cannot run here; the text says what is missing."""


def needs(*programs):
    """Marks a test with the programs that it uses."""
    def mark(function):
        function.needs = programs
        return function
    return mark


def needs_room(function):
    """Marks a test that needs addresses, users or ports of its own."""
    function.needs_room = True
    return function


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name):
    """Where a program is; system folders are looked at for every user."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + PATH)


class Process:
    """A started program. Its output goes to a file that `said` reads."""

    def __init__(self, name, words, log, *, there=False, **options):
        self.name, self.log = name, log
        words = [str(w) for w in words]
        if there:
            words = room.at_internet(words)
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **options)
        self.pid = self.popen.pid

    def said(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, seconds=20):
        return self.popen.wait(seconds)

    def stop(self, seconds=20):
        """SIGTERM, then SIGKILL; the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()


class Case:
    """What a test function is given."""

    def __init__(self, name, binary):
        self.name, self.binary = name, binary
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="repute-interop-"))
        self.folder.chmod(0o755)
        self._defer = []

    def check_needs(self, programs, needs_room):
        missing = [p for p in programs if not program(p)]
        if missing:
            raise Skip(f"{', '.join(missing)} not installed")
        if needs_room and not room.inside():
            raise Skip("needs root and namespaces")

    def defer(self, function):
        """Calls `function` when the test ends; last in, first out."""
        self._defer.append(function)

    def start(self, name, words, *, roughly=False, **options):
        """Starts a program that ends with the test; `roughly` for those that take long to end well."""
        process = Process(name, words, self.folder / f"{name}.log", **options)
        self.defer(process.kill if roughly else process.stop)
        return process

    def run(self, words, *, there=False, ok=(0,), stdin=None, timeout=60, stderr=subprocess.STDOUT, **options):
        """Runs a program to its end; its output, both streams unless `stderr` is a pipe. Fails on an exit code not in `ok`."""
        words = [str(w) for w in words]
        if there:
            words = room.at_internet(words)
        feed = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin if isinstance(stdin, bytes) else stdin.encode()}
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=stderr, timeout=timeout, **feed, **options)
        text = done.stdout.decode(errors="replace")
        said = text + (done.stderr or b"").decode(errors="replace")
        assert ok is None or done.returncode in ok, f"{' '.join(words)}: exit code {done.returncode}\n{said}"
        return text

    def said(self, lines):
        """The last lines of every program of the test."""
        out = ""
        for log in sorted(self.folder.glob("**/*.log")):
            text = log.read_text(errors="replace").splitlines()
            out += f"--- {log.name}\n" + "\n".join(text[-lines:] if lines else text) + "\n"
        return out

    def end(self):
        """Takes everything down; what did not go down by itself."""
        left = []
        for function in reversed(self._defer):
            try:
                function()
            except Exception as error:  # the rest must still be taken down
                left.append(repr(error))
        shutil.rmtree(self.folder, ignore_errors=True)
        return "\n".join(left)


def wait_for(what, condition, seconds=20):
    """Asks until `condition` says something true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(host, port, seconds=20, process=None):
    """Waits until something listens there."""
    def open_now():
        if process is not None and not process.running():
            raise AssertionError(f"{process.name} has ended:\n{process.said()[-2000:]}")
        try:
            socket.create_connection((host, port), 1).close()
            return True
        except OSError:
            return False
    wait_for(f"{host}:{port} answers", open_now, seconds)
