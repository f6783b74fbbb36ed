"""A client that sends exactly the octets it is told to."""
import socket
import ssl


class Closed(Exception):
    """The server has closed the connection."""


class Raw:
    """A connection; greets with EHLO unless told not to."""

    def __init__(self, host, port, *, ehlo="client.example", source=None, timeout=20, tls=None):
        self.host = host
        self.socket = socket.create_connection((host, port), timeout, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket)
        self.buffer = b""
        self.extensions = []
        self.greeting = self.reply()
        if ehlo:
            self.extensions = self.command(f"EHLO {ehlo}")[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def line(self):
        while b"\n" not in self.buffer:
            try:
                octets = self.socket.recv(65536)
            except ConnectionResetError:
                octets = b""
            if not octets:
                raise Closed
            self.buffer += octets
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def reply(self):
        """Code and lines of one reply."""
        lines = []
        while True:
            line = self.line()
            lines.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), lines

    def command(self, text):
        self.send(text.encode("utf-8") + b"\r\n")
        return self.reply()

    def expect(self, text, code):
        got = self.command(text)
        assert str(got[0]).startswith(str(code)), f"{text!r}: {got}, not {code}"
        return got

    def starttls(self, context=None, ehlo="client.example"):
        self.expect("STARTTLS", 220)
        self.socket = (context or unverified()).wrap_socket(self.socket)
        self.extensions = self.expect(f"EHLO {ehlo}", 250)[1]

    def rest(self):
        """Everything until the server closes, or has been silent for a moment."""
        self.socket.settimeout(0.4)
        replies = []
        try:
            while True:
                replies.append(self.reply())
        except (Closed, TimeoutError, ValueError):
            return replies

    def message(self, sender, recipients, content, parameters=""):
        """A whole transaction with DATA; the reply to its end."""
        self.expect(f"MAIL FROM:<{sender}>{parameters}", 250)
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>", 250)
        self.expect("DATA", 354)
        self.send(content + b"\r\n.\r\n")
        return self.reply()


def unverified():
    """TLS that takes the server's self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def content(subject="Hello", sender="app@sender.example", to="bob@receiver.example", extra="", body="Hello.\r\n"):
    """A small message, CRLF throughout, without its last line end."""
    text = f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n{extra}\r\n{body}"
    return text.removesuffix("\r\n").encode()
