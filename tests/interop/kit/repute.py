"""The server under test: its configuration, its process, its commands."""
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse

from . import room
from .case import Process, wait_for

DOMAIN = "sender.example"
PASSWORD = "correct horse battery staple"
_accounts = {}


class Repute:
    """A server that sends as sender.example, for account `app` (with PASSWORD).

    `sink`: everything is routed there. `local`: clients at 127.0.0.1 are account `local`.
    `more`: TOML that is put at the end; `top`: at the top. `signed=False` leaves the keys out.
    """

    def __init__(self, case, *, sink=None, local=False, more="", top="", listeners=("submission", "submissions"), host="127.0.0.1", ports=None,
                 signed=True, start=True, user=None, name="repute", state=None):
        self.case, self.name, self.signed = case, name, signed
        self.binary = case.binary
        self.folder = case.folder / f"{name}.d"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.state = state or self.folder / "state"
        self.file = self.folder / "repute.toml"
        self.ports, self.process = {}, None
        user = f'user = "{user or "root"}"\n' if os.geteuid() == 0 else ""
        text = f'hostname = "mail.{DOMAIN}"\nstate = "{self.state}"\n{user}{top}\n'
        servers = room.NAMESERVER if room.inside() else "127.0.0.1"
        text += f'[resolver]\nservers = "{servers}"\ndnssec = false\ntimeout = "2s"\n\n'
        if sink:
            text += f'[delivery]\ndanger_allow_loopback = true\n\n[[route]]\nhost = "{sink.address}"\nport = {sink.port}\ntls = "none"\n\n'
        for kind in listeners:
            text += f'[[listener]]\nkind = "{kind}"\naddress = "{host}:{(ports or {}).get(kind, 0)}"\n\n'
        self.file.write_text(text + f'[[domain]]\nname = "{DOMAIN}"\n' + ("" if signed else "danger_unsigned = true\n") + "\n")
        if signed:
            self.records = self.json("domain", "add", DOMAIN)["records"]
        self.append(self.account("app"))
        if local:
            self.append(f'[[account]]\nname = "local"\ndomains = ["{DOMAIN}"]\naddresses = ["127.0.0.1"]\n\n')
        self.append(more)
        if start:
            self.start()

    @classmethod
    def of(cls, case, file):
        """A server whose configuration is there already; it is not started."""
        self = cls.__new__(cls)
        self.case, self.name, self.binary, self.file, self.folder = case, "repute", case.binary, file, file.parent
        self.state, self.ports, self.process = file.parent / "state", {}, None
        return self

    def resolve(self, section):
        """Has it ask other name servers."""
        self.file.write_text(re.sub(r"\[resolver\]\n.*?\n\n", lambda _: section + "\n", self.file.read_text(), flags=re.S))

    def append(self, text):
        with open(self.file, "a") as file:
            file.write(text + "\n")

    def account(self, name, password=PASSWORD, domain=DOMAIN):
        """The block of an account, as `repute account add` prints it."""
        key = (name, password, domain)
        if key not in _accounts:
            answer = self.case.run([self.binary, "--json", "account", "add", name, "--domain", domain], stdin=password + "\n")
            _accounts[key] = json.loads(answer)["toml"]
        return _accounts[key] + "\n"

    def start(self, *, wrap=(), wait=True, **options):
        """Starts the server and learns its ports from the line that says it is ready."""
        # Every start has its own log, so that an earlier `ready` is not taken for this one's.
        number = len(list(self.case.folder.glob(f"{self.name}.*.log")))
        log = self.case.folder / f"{self.name}.{number}.log"
        process = Process(self.name, [*wrap, self.binary, "serve", "--config", self.file], log, **options)
        self.process = process
        self.case.defer(lambda: self._end(process))
        if wait:
            self.wait_ready()
        return process

    def _end(self, process):
        """At the end of every test the server has to go when it is told to."""
        began = time.monotonic()
        if process.running() and process.stop(40) is None:
            raise AssertionError("the server did not end within 40 s of SIGTERM")
        if time.monotonic() - began > 8:
            raise AssertionError(f"the server took {time.monotonic() - began:.0f} s to end after SIGTERM")

    def wait_ready(self, seconds=30):
        def ready():
            assert self.process.running(), f"the server has ended:\n{self.process.said()}"
            return re.search(r"^repute: ready(.*)$", self.process.said(), re.M)
        words = wait_for("the server is ready", ready, seconds)[1].split()
        for kind, address in (word.split("=", 1) for word in words):
            self.ports[kind] = int(address.rsplit(":", 1)[1])

    @property
    def port(self):
        """The submission port."""
        return self.ports["submission"]

    def kill(self):
        self.process.kill()

    def stop(self, seconds=40):
        """SIGTERM; the exit code."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def command(self, *words, **options):
        """A `repute` command against this server; its output."""
        return self.case.run([self.binary, "--config", self.file, *words], **options)

    def json(self, *words, ok=(0,)):
        return json.loads(self.command("--json", *words, ok=ok, stderr=subprocess.PIPE))

    def wait_said(self, text, seconds=10):
        return wait_for(f"the server says {text!r}", lambda: text in self.process.said(), seconds)

    def url_password(self):
        return urllib.parse.quote(PASSWORD)
