"""What attackers and broken programs send: smuggling, injection, wrong protocols, floods."""
import socket
import time

from kit.case import needs_room
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Closed, Raw, content, unverified

FROM, TO = "app@sender.example", "bob@receiver.example"

#: Ends of data that one server takes for the end and another does not (SMTP smuggling).
ENDS = [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\r", b"\r.\r", b"\r.\n", b"\n.\r", b"\r\n.\r\r\n", b"\r\n\0.\r\n",
        b"\r\n.\0\r\n", b"\n\n.\r\n", b"\x85.\x85", b"\r\n .\r\n", b"\r\n. \r\n", b"\r\n.\x0b\n", b"\xe2\x80\xa8.\xe2\x80\xa8"]

EVIL = f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nDATA\r\nFrom: <{FROM}>\r\nTo: <{TO}>\r\nSubject: smuggled\r\n\r\nx".encode()


def world(case, **options):
    sink = Sink(case)
    return sink, Repute(case, sink=sink, local=True, **options)


def test_smuggling(case):
    """No false end of data starts a second message; bare CR and bare LF are refused."""
    sink, repute = world(case)
    taken = 0
    for end in ENDS:
        for dots in (b"", b"."):
            with Raw("127.0.0.1", repute.port) as client:
                client.expect(f"MAIL FROM:<{FROM}>", 250)
                client.expect(f"RCPT TO:<{TO}>", 250)
                client.expect("DATA", 354)
                replies = []
                try:
                    client.send(content(subject="carrier", body="x\r\n") + end + dots + EVIL + b"\r\n.\r\n")
                    replies = [client.reply()]
                    replies += client.rest() if end != b"\r\n.\r\n" else []
                except Closed:
                    pass
                good = [r for r in replies if r[0] == 250]
                assert len(good) <= 1 and not any(r[0] == 354 for r in replies), (end, replies)
                bare = end.replace(b"\r\n", b"")
                if b"\r" in bare or b"\n" in bare:
                    assert not good, f"{end!r} was taken: {replies}"
                taken += len(good)
    time.sleep(0.5)
    messages = sink.wait(taken) if taken else sink.messages
    assert len(messages) == taken, (len(messages), taken)
    assert all(m.field("Subject") == ["carrier"] for m in messages), [m.field("Subject") for m in messages]
    for message in messages:
        # What goes out has CRLF alone, so that nobody behind us can be fooled by it.
        lone = message.content.replace(b"\r\n", b"")
        assert b"\r" not in lone and b"\n" not in lone, message.content


def test_commands_are_not_smuggled_into_tls(case):
    """What was sent in the clear behind STARTTLS is not taken for a command under TLS (CVE-2011-0411)."""
    sink, repute = world(case)
    with Raw("127.0.0.1", repute.port) as client:
        client.send(b"STARTTLS\r\nNOOP injected\r\nRSET\r\n")
        try:
            code = client.reply()[0]
            if code == 220:
                client.socket = unverified().wrap_socket(client.socket)
                assert client.command("EHLO x")[0] == 250
                assert client.rest() == []
        except (Closed, OSError):
            pass  # ending the connection is the best answer


def test_other_protocols(case):
    """A browser or TLS client at the wrong port is sent away and reaches nothing."""
    sink, repute = world(case)
    post = (f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\nEHLO x\r\nMAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n"
            f"From: <{FROM}>\r\nTo: <{TO}>\r\nSubject: cross\r\n\r\nx\r\n.\r\nQUIT\r\n").encode()
    for octets in (post, post.replace(b"POST", b"GET", 1), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)):
        with Raw("127.0.0.1", repute.port, ehlo=None) as client:
            try:
                client.send(octets)
                replies = client.rest()
            except (Closed, OSError):
                replies = []
            assert not any(r[0] in (250, 354) for r in replies), (octets[:20], replies)
    assert not sink.messages


#: A dialogue, and what its last reply begins with. `!` stands for MAIL and RCPT as they should be.
DIALOGUES = [
    (["RCPT TO:<bob@receiver.example>"], "503"),
    (["DATA"], "503"),
    (["MAIL FROM:<app@sender.example>", "DATA"], "503"),
    (["MAIL FROM:<app@sender.example>", "MAIL FROM:<app@sender.example>"], "503"),
    (["!", "BDAT x LAST"], "501"),
    (["!", "BDAT -1 LAST"], "501"),
    (["!", "BDAT 99999999999999999999999 LAST"], "5"),
    (["BDAT 0 LAST"], "503"),
    (["MAIL FROM:<app@sender.example> SIZE=99999999999"], "552"),
    (["MAIL FROM:<app@sender.example> SIZE=99999999999999999999999999"], "5"),
    (["MAIL FROM:<app@sender.example> SIZE=-1"], "501"),
    (["MAIL FROM:<app@sender.example> BODY=9BIT"], "5"),
    (["MAIL FROM:<app@sender.example> NOSUCH=1"], "555"),
    (["MAIL FROM:<app@sender.example> RET=FULL RET=HDRS"], "501"),
    (["MAIL FROM: <app@sender.example>"], "501|250"),
    (["MAIL FROM:app@sender.example"], "501"),
    (["MAIL FROM:<app@sender.example"], "501"),
    (["MAIL FROM:<app@@sender.example>"], "501"),
    (["MAIL FROM:<app@sender..example>"], "501"),
    (["MAIL FROM:<.app@sender.example>"], "501"),
    (["MAIL FROM:<äpp@sender.example>"], "5"),
    (["MAIL FROM:<app@sender.example>", "RCPT TO:<>"], "501"),
    (["MAIL FROM:<app@sender.example>", "RCPT TO:<bob>"], "501"),
    (["MAIL FROM:<app@sender.example>", "RCPT TO:<bob@receiver.example> NOTIFY=NEVER,SUCCESS"], "501"),
    (["MAIL FROM:<app@sender.example>", "RCPT TO:<bob@[198.51.100.25]>"], "5"),
    (["MAIL FROM:<app@sender.example>", "RCPT TO:<" + "x" * 65 + "@receiver.example>"], "501"),
    (["MAIL FROM:<app@sender.example>", "RCPT TO:<bob@" + "x" * 64 + ".example>"], "501"),
    (["VRFY bob"], "252|502"),
    (["EXPN staff"], "502"),
    (["TURN"], "50"),
    (["ETRN x"], "50"),
    (["XCLIENT ADDR=127.0.0.1"], "50"),
    (["HELP"], "214"),
    (["NOOP"], "250"),
    (["NOOP with words"], "250"),
    ([""], "500"),
    ([" NOOP"], "500"),
    (["\0"], "500"),
    (["NOOP\0"], "50|250"),
    (["AUTH"], "501|503|504"),
    (["AUTH PLAIN"], "5"),
    (["AUTH NOSUCH"], "5"),
    (["STARTTLS x"], "501"),
    (["EHLO"], "501"),
    (["EHLO " + "x" * 600], "50"),
    (["NOOP " + "x" * 10000], "500"),
    (["!", "QUIT"], "221"),
    (["RSET"], "250"),
    (["RSET x"], "501"),
    (["QUIT x"], "501|221"),
]


def test_dialogues(case):
    """Commands out of order, out of bounds and out of grammar get the RFC's replies."""
    sink, repute = world(case)
    wrong = []
    for lines, expect in DIALOGUES:
        with Raw("127.0.0.1", repute.port) as client:
            reply = None
            try:
                for line in lines:
                    for one in ([f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>"] if line == "!" else [line]):
                        reply = client.command(one)
            except Closed:
                reply = reply if reply and str(reply[0]).startswith(("5", "4")) else (0, ["closed"])
            if not str(reply[0]).startswith(tuple(expect.split("|"))):
                wrong.append(f"{[line[:60] for line in lines]}: {reply}, not {expect}")
    assert not wrong, "\n".join(wrong)
    assert not sink.messages


def test_headers_that_would_fail_are_refused(case):
    """Faults that large receivers reject are refused at submission, with a cure."""
    sink, repute = world(case)
    bad = {
        "two From fields": content(extra=f"From: <{FROM}>\r\n"),
        "no From": f"To: <{TO}>\r\nSubject: x\r\n\r\nx".encode(),
        "empty From": f"From: \r\nTo: <{TO}>\r\n\r\nx".encode(),
        "two Subjects": content(extra="Subject: again\r\n"),
        "two Dates": content(extra="Date: Tue, 24 Nov 2026 00:00:00 +0000\r\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r\n"),
        "two Message-IDs": content(extra="Message-ID: <a@b.example>\r\nMessage-ID: <c@d.example>\r\n"),
        "two To fields": content(extra=f"To: <{TO}>\r\n"),
    }
    for what, octets in bad.items():
        with Raw("127.0.0.1", repute.port) as client:
            code, lines = client.message(FROM, [TO], octets)
            assert code // 100 == 5, f"{what}: {code} {lines}"
            assert any(len(line) > 20 for line in lines), f"{what}: the refusal says too little: {lines}"
    assert not sink.messages


def test_limits(case):
    """Errors, recipients, size, and connections of one client are bounded, and it says so."""
    more = "[limits]\nrecipients = 100\nsize = \"100KB\"\nconnections_per_client = 5\nerrors = 3\n"
    sink, repute = world(case, more=more)
    with Raw("127.0.0.1", repute.port) as client:
        client.expect(f"MAIL FROM:<{FROM}>", 250)
        codes = [client.command(f"RCPT TO:<b{i}@receiver.example>")[0] for i in range(101)]
        assert codes == [250] * 100 + [452], codes[-3:]
        client.expect("RSET", 250)
        client.expect(f"MAIL FROM:<{FROM}> SIZE=200000", 552)
        code, lines = client.message(FROM, [TO], content(body="x" * 70 + "\r\n") + (b"\r\n" + b"x" * 70) * 3000)
        assert code == 552, lines
    with Raw("127.0.0.1", repute.port) as client:
        codes = []
        try:
            for _ in range(10):
                codes.append(client.command("NONSENSE")[0])
        except Closed:
            pass
        assert 3 <= len(codes) <= 5 and codes[-1] in (421, 500), codes
    clients = [Raw("127.0.0.1", repute.port) for _ in range(5)]
    try:
        greeting = Raw("127.0.0.1", repute.port, ehlo=None).greeting
        assert greeting[0] == 421, greeting
    except Closed:
        raise AssertionError("a client too many was not told why") from None
    for client in clients:
        client.close()


@needs_room
def test_proxy_protocol(case):
    """PROXY v2 is believed from the named balancer, demanded there, and from nobody else."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, start=False)
    text = repute.file.read_text()
    repute.file.write_text(text.replace('kind = "submission"\n', 'kind = "submission"\nproxy_from = "127.0.0.1"\n', 1)
                           + '\n[[account]]\nname = "client"\ndomains = ["sender.example"]\naddresses = ["203.0.113.66"]\n')
    repute.start()
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 66, 127, 0, 0, 1, 0x30, 0x39, 2, 75])

    class Proxied(Raw):
        def reply(self):
            if not self.extensions and not hasattr(self, "greeted"):
                self.greeted = True
                self.socket.sendall(header)
            return super().reply()
    with Proxied("127.0.0.1", repute.port) as client:
        assert client.message(FROM, [TO], content())[0] == 250
    sink.wait()
    with Raw.__new__(Raw) as client:
        client.socket = socket.create_connection(("127.0.0.1", repute.port), 10)
        client.socket.sendall(f"EHLO client.example\r\nMAIL FROM:<{FROM}>\r\n".encode())
        client.buffer = b""
        assert not any(code == 250 for code, _ in client.rest())
