"""A receiver in this process that keeps what it is sent, and can be told to misbehave."""
import socket
import threading
from dataclasses import dataclass, field

from .case import wait_for


@dataclass
class Message:
    """What came in one transaction. `content` is as received, dots taken away."""
    sender: str
    recipients: list = field(default_factory=list)
    parameters: str = ""
    content: bytes = b""

    def header(self):
        return self.content.split(b"\r\n\r\n", 1)[0]

    def field(self, name):
        """The values of a field, unfolded."""
        unfolded = self.header().replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").decode("utf-8", "replace")
        prefix = name.lower() + ":"
        return [line[len(prefix):].strip() for line in unfolded.split("\r\n") if line.lower().startswith(prefix)]

    def body(self):
        return self.content.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in self.content else b""


class Sink:
    """Listens at `address`:`port`. Hooks, each a function to a reply or None: `on_rcpt(text)`,
    `on_data(message)`; `hold` is an event that the reply to the end of data waits for."""

    def __init__(self, case, address="127.0.0.1", port=0, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 100000000", "DSN", "ENHANCEDSTATUSCODES"),
                 on_rcpt=None, on_data=None, keep_content=True):
        self.extensions, self.on_rcpt, self.on_data, self.keep_content = extensions, on_rcpt, on_data, keep_content
        self.hold = threading.Event()
        self.hold.set()
        self.messages, self.lock = [], threading.Lock()
        self.listener = socket.create_server((address, port), backlog=512)
        self.address, self.port = self.listener.getsockname()[:2]
        self.open = True
        threading.Thread(target=self._accept, daemon=True).start()
        case.defer(self.close)

    def close(self):
        self.open = False
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def wait(self, count=1, seconds=30):
        """The messages, once there are `count`."""
        wait_for(f"{count} messages at the sink (there are {len(self.messages)})", lambda: len(self.messages) >= count, seconds)
        return list(self.messages)

    def _accept(self):
        while self.open:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection, connection.makefile("rb") as lines:
                self._talk(connection, lines)
        except (OSError, ValueError):
            pass

    def _talk(self, connection, lines):
        def say(text):
            connection.sendall(text.encode() + b"\r\n")
        say("220 sink.example ESMTP")
        message = None
        while line := lines.readline(70000):
            text = line.decode("utf-8", "replace").strip()
            verb = text[:4].upper()
            if verb == "EHLO":
                say("\r\n".join(f"250-{e}" for e in ("sink.example", *self.extensions)) + "\r\n250 HELP")
            elif verb == "MAIL":
                path, _, parameters = text[10:].strip().partition(" ")
                message = Message(path.strip("<>"), parameters=parameters)
                say("250 2.1.0 ok")
            elif verb == "RCPT":
                reply = self.on_rcpt(text) if self.on_rcpt else None
                if not reply:
                    message.recipients.append(text[8:].strip())
                say(reply or "250 2.1.5 ok")
            elif verb == "DATA":
                if not message or not message.recipients:
                    say("554 5.5.1 no recipients")
                    continue
                say("354 go on")
                message.content = _content(lines)
                self.hold.wait()
                reply = self.on_data(message) if self.on_data else None
                if not reply:
                    if not self.keep_content:
                        message.content = message.header()
                    with self.lock:
                        self.messages.append(message)
                message = None
                say(reply or "250 2.0.0 taken")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            elif verb in ("RSET", "NOOP", "HELO"):
                message = None
                say("250 2.0.0 ok")
            else:
                say("500 5.5.2 what?")


def _content(lines):
    content = []
    while line := lines.readline():
        if line == b".\r\n":
            return b"".join(content)
        content.append(line[1:] if line.startswith(b".") else line)
    raise ValueError("the connection ended within the content")
