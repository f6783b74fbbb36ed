"""Programs that people submit mail with."""
import base64
import email
import email.message
import email.policy
import hashlib
import hmac
import quopri
import shutil
import smtplib

from kit.case import needs, needs_room
from kit.repute import PASSWORD, Repute
from kit.sink import Sink
from kit.smtp import Raw, content, unverified

TO = "bob@receiver.example"
FROM = "app@sender.example"


def world(case, **options):
    sink = Sink(case)
    return sink, Repute(case, sink=sink, **options)


def check_signed(message):
    """Both signatures, of the right domain, and no traces of a Bcc."""
    signatures = message.field("DKIM-Signature")
    assert len(signatures) == 2, message.header().decode()
    assert all("d=sender.example" in s for s in signatures), signatures
    assert {"rsa-sha256", "ed25519-sha256"} == {s.split("a=")[1].split(";")[0].strip() for s in signatures}, signatures
    assert message.field("Message-ID") and message.field("Date") and message.field("Received"), message.header().decode()


def swaks(case, repute, *words, **options):
    return case.run(["swaks", "--server", "127.0.0.1", "--from", FROM, "--to", TO, "--auth-user", "app", "--auth-password", PASSWORD, *words], **options)


@needs("swaks")
def test_swaks(case):
    """swaks with STARTTLS and with TLS from the first octet, PLAIN and LOGIN."""
    sink, repute = world(case)
    swaks(case, repute, "--port", repute.port, "--tls", "--auth", "PLAIN")
    swaks(case, repute, "--port", repute.port, "--tls", "--auth", "LOGIN")
    swaks(case, repute, "--port", repute.ports["submissions"], "--tls-on-connect", "--auth", "PLAIN")
    for message in sink.wait(3):
        check_signed(message)


@needs("swaks")
def test_swaks_without_tls_is_refused(case):
    """A password is never taken in the clear, nor mail without one."""
    sink, repute = world(case)
    said = swaks(case, repute, "--port", repute.port, "--auth", "PLAIN", ok=None)
    assert "235" not in said and "did not advertise authentication" in said, said
    said = case.run(["swaks", "--server", f"127.0.0.1:{repute.port}", "--tls", "--from", FROM, "--to", TO], ok=None)
    assert "530 5.7.0" in said, said
    said = swaks(case, repute, "--port", repute.port, "--tls", "--auth", "PLAIN", "--auth-password", "wrong", ok=None)
    assert "535 5.7.8" in said, said
    assert not sink.messages


def test_smtplib(case):
    """Python's smtplib: PLAIN, LOGIN, SSL; UTF-8 in fields, body and addresses; several recipients."""
    sink, repute = world(case)
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Bcc"] = f"Wörk <{FROM}>", f"{TO}, Eve <eve@receiver.example>", "secret@receiver.example"
    message["Subject"] = "Grüße"
    message.set_content("Schöne Grüße\n.\n..two dots\n")
    for mechanism in ("PLAIN", "LOGIN"):
        with smtplib.SMTP("127.0.0.1", repute.port) as client:
            client.starttls(context=unverified())
            client.ehlo()
            client.user, client.password = "app", PASSWORD
            client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
            client.send_message(message)
    with smtplib.SMTP_SSL("127.0.0.1", repute.ports["submissions"], context=unverified()) as client:
        client.login("app", PASSWORD)
        client.send_message(message)
        wide = email.message.EmailMessage()
        wide["From"], wide["To"], wide["Subject"] = FROM, "böb@receiver.example", "SMTPUTF8"
        wide.set_content("x")
        client.send_message(wide)
    # smtplib takes Bcc away itself; three recipients of one message go in one transaction.
    messages = sink.wait(4)
    for got in messages:
        check_signed(got)
        assert not got.field("Bcc")
    assert sorted(len(m.recipients) for m in messages) == [1, 3, 3, 3], [m.recipients for m in messages]
    assert any("böb@" in r for m in messages for r in m.recipients), [m.recipients for m in messages]
    first = email.message_from_bytes(messages[0].content, policy=email.policy.default)
    assert first.get_content().replace("\r\n", "\n") == "Schöne Grüße\n.\n..two dots\n", first.get_content()
    assert first["Subject"] == "Grüße"


def test_scram(case):
    """SCRAM-SHA-256 by the book (RFC 5802, RFC 7677), and a server that proves itself."""
    sink, repute = world(case)
    with Raw("127.0.0.1", repute.port) as client:
        client.starttls()
        assert any("SCRAM-SHA-256" in e for e in client.extensions), client.extensions
        first = "n=app,r=rOprNGfwEbeRWgbNEkqO"
        code, lines = client.command("AUTH SCRAM-SHA-256 " + base64.b64encode(b"n,," + first.encode()).decode())
        assert code == 334, lines
        challenge = base64.b64decode(lines[0]).decode()
        fields = dict(f.split("=", 1) for f in challenge.split(","))
        assert fields["r"].startswith("rOprNGfwEbeRWgbNEkqO") and int(fields["i"]) >= 4096, challenge
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        bare = f"c=biws,r={fields['r']}"
        signed = f"{first},{challenge},{bare}".encode()
        proof = bytes(a ^ b for a, b in zip(key, hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")))
        code, lines = client.command(base64.b64encode(f"{bare},p={base64.b64encode(proof).decode()}".encode()).decode())
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        if code == 334:
            assert base64.b64decode(lines[0]) == b"v=" + base64.b64encode(server), lines
            code, lines = client.command("")
        assert code == 235, lines
        assert client.message(FROM, [TO], content())[0] == 250
    sink.wait()


@needs("msmtp")
def test_msmtp(case):
    """msmtp with STARTTLS, and with SCRAM-SHA-256 where it knows it."""
    sink, repute = world(case)
    mechanisms = ["plain", "login"]
    if "SCRAM-SHA-256" in case.run(["msmtp", "--version"]):
        mechanisms.append("scram-sha-256")
    for mechanism in mechanisms:
        file = case.folder / "msmtprc"
        file.write_text(f"account default\nhost 127.0.0.1\nport {repute.port}\ntls on\ntls_starttls on\ntls_certcheck off\nauth {mechanism}\n"
                        f"user app\npassword \"{PASSWORD}\"\nfrom {FROM}\n")
        file.chmod(0o600)
        case.run(["msmtp", "-C", file, "-t"], stdin=f"From: {FROM}\nTo: {TO}\nBcc: eve@receiver.example\nSubject: by msmtp\n\nHello\n")
    for message in sink.wait(len(mechanisms)):
        check_signed(message)
        assert len(message.recipients) == 2 and not message.field("Bcc")


@needs("curl")
def test_curl(case):
    """curl's SMTP, with TLS from the first octet and with STARTTLS."""
    sink, repute = world(case)
    file = case.folder / "letter"
    file.write_text(f"From: {FROM}\r\nTo: {TO}\r\nSubject: by curl\r\n\r\nHello\r\n")
    for url in (f"smtps://127.0.0.1:{repute.ports['submissions']}", f"smtp://127.0.0.1:{repute.port}"):
        case.run(["curl", "--silent", "--show-error", "--insecure", "--ssl-reqd", "--user", f"app:{PASSWORD}", "--mail-from", FROM,
                  "--mail-rcpt", TO, "--upload-file", file, url])
    for message in sink.wait(2):
        check_signed(message)


@needs("smtp-source")
def test_smtp_source(case):
    """smtp-source from Postfix: 200 messages over ten connections, from an address that is an account."""
    sink, repute = world(case, local=True)
    case.run(["smtp-source", "-s", "10", "-m", "200", "-l", "2000", "-f", FROM, "-t", TO, f"127.0.0.1:{repute.port}"])
    messages = sink.wait(200)
    assert len(messages) == 200
    check_signed(messages[0])


def dropin(repute):
    """The program under the name `sendmail`, and its configuration in the usual place."""
    link = repute.folder / "sendmail"
    link.symlink_to(repute.binary)
    shutil.copy(repute.file, "/etc/repute/repute.toml")
    return link


def dropin_world(case):
    sink, repute = world(case, local=True, more='[sendmail]\naccount = "local"\n')
    return sink, repute, dropin(repute)


@needs_room
@needs("php")
def test_php_mail(case):
    """PHP's mail() through the sendmail drop-in, as `sendmail -t -i` and by `repute sendmail`."""
    sink, repute, sendmail = dropin_world(case)
    code = f'exit(mail("{TO}", "From PHP", "Hello\\n.\\nWorld\\n", "From: {FROM}\\r\\nBcc: eve@receiver.example") ? 0 : 1);'
    for command in (f"{sendmail} -t -i", f"{repute.binary} sendmail -t -i", f"{sendmail} -t -i -f {FROM}"):
        case.run(["php", "-d", f"sendmail_path={command}", "-r", code])
    for message in sink.wait(3):
        check_signed(message)
        assert len(message.recipients) == 2 and not message.field("Bcc"), message
        assert b"Hello\r\n.\r\nWorld" in message.content, message.content


@needs_room
def test_sendmail_as_cron_calls_it(case):
    """cron: `sendmail -FCronDaemon -i -B8BITMIME -oem root`; and by an ordinary user."""
    sink, repute, sendmail = dropin_world(case)
    letter = f"From: {FROM} (Cron Daemon)\nTo: root\nSubject: Cron <root@host> true\nAuto-Submitted: auto-generated\n\nÖutput\n"
    case.run([sendmail, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", TO], stdin=letter)
    case.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", sendmail, "-i", "-f", FROM, "--", TO], stdin=letter)
    for message in sink.wait(2):
        check_signed(message)


@needs_room
def test_sendmail_speaks_smtp(case):
    """`sendmail -bs`: SMTP on standard input and output, as some mail programs use it."""
    sink, repute, sendmail = dropin_world(case)
    dialogue = f"EHLO here\r\nMAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nDATA\r\nFrom: {FROM}\r\nTo: {TO}\r\nSubject: bs\r\n\r\nHello\r\n.\r\nQUIT\r\n"
    said = case.run([sendmail, "-bs"], stdin=dialogue)
    assert "\n354" in said and said.rstrip().splitlines()[-1].startswith("221"), said
    sink.wait()


@needs_room
def test_sendmail_keeps_its_word_when_the_server_is_down(case):
    """Without a server the caller is told: EX_TEMPFAIL or EX_UNAVAILABLE, never 0."""
    sink, repute, sendmail = dropin_world(case)
    repute.stop()
    case.run([sendmail, "-i", "-f", FROM, TO], stdin="Subject: x\n\nx\n", ok=(69, 75))


def test_send_command(case):
    """`repute send`: one message from flags or a file, its conversation on the screen; exit codes 0, 1, 75."""
    sink, repute = world(case, local=True)
    send = ["send", "--from", FROM, "--to", TO]
    said = repute.command(*send, "--server", f"127.0.0.1:{repute.port}", "--tls", "none", "--subject", "By hand", "--text", "Grüße")
    assert "MAIL FROM" in said and "354" in said, said
    password = case.folder / "password"
    password.write_text(PASSWORD + "\n")
    log_in = ["--server", f"127.0.0.1:{repute.ports['submissions']}", "--tls", "implicit", "--insecure", "--user", "app", "--password-file", password]
    repute.command(*send, *log_in, "-", stdin=content() + b"\r\n")
    repute.command("send", "--from", "ceo@elsewhere.example", "--to", TO, *log_in, "--text", "x", ok=(1,))
    for message in sink.wait(2):
        check_signed(message)


def test_chunking(case):
    """BDAT in pieces, binary-safe at their borders; a refused chunk does not end the talk."""
    sink, repute = world(case, local=True)
    octets = content(body="one\r\n.\r\ntwo\r\n") + b"\r\n"
    with Raw("127.0.0.1", repute.port) as client:
        assert "CHUNKING" in client.extensions, client.extensions
        client.expect(f"MAIL FROM:<{FROM}>", 250)
        client.expect(f"RCPT TO:<{TO}>", 250)
        for at in range(0, len(octets), 7):
            piece = octets[at:at + 7]
            client.send(b"BDAT %d\r\n" % len(piece) + piece)
            assert client.reply()[0] == 250
        client.expect("BDAT 0 LAST", 250)
        client.send(b"BDAT 5 LAST\r\nhello")
        assert client.reply()[0] == 503
        client.expect("NOOP", 250)
    assert sink.wait()[0].body() == b"one\r\n.\r\ntwo\r\n"


def test_pipelining(case):
    """A whole transaction in one packet, twice, replies in order."""
    sink, repute = world(case, local=True)
    one = f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nRCPT TO:<eve@receiver.example>\r\nDATA\r\n".encode()
    with Raw("127.0.0.1", repute.port) as client:
        for _ in range(2):
            client.send(one)
            assert [client.reply()[0] for _ in range(4)] == [250, 250, 250, 354]
            client.send(content() + b"\r\n.\r\n")
            assert client.reply()[0] == 250
        client.expect("QUIT", 221)
    assert len(sink.wait(2)) == 2


def test_delivery_notices(case):
    """DSN parameters travel on to a host that knows them (RFC 3461)."""
    sink, repute = world(case, local=True)
    with smtplib.SMTP("127.0.0.1", repute.port) as client:
        client.sendmail(FROM, [TO], content(), mail_options=["RET=HDRS", "ENVID=abc+2B1"], rcpt_options=["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{TO}"])
    message = sink.wait()[0]
    assert "RET=HDRS" in message.parameters and "ENVID=abc+2B1" in message.parameters, message
    assert "NOTIFY=" in message.recipients[0] and "ORCPT=rfc822;" in message.recipients[0], message


def test_a_large_message(case):
    """45 MB pass, and are in memory at most once."""
    sink, repute = world(case, local=True)

    def peak():
        status = open(f"/proc/{repute.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    before = peak()
    with Raw("127.0.0.1", repute.port, timeout=120) as client:
        body = (b"x" * 76 + b"\r\n") * (45_000_000 // 78)
        assert client.message(FROM, [TO], content() + b"\r\n" + body[:-2])[0] == 250
    assert sink.wait(1, 120)[0].content.endswith(body)
    used = peak() - before
    print(f"        45 MB message: {used:.0f} MiB more memory at the peak")
    assert used < 2 * 45, f"{used:.0f} MiB"


def test_a_large_message_that_is_encoded_anew(case):
    """45 MB of 8-bit text become quoted-printable and are in memory at most once."""
    sink, repute = world(case, local=True)

    def peak():
        status = open(f"/proc/{repute.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    before = peak()
    text = "Grüße und viel gewöhnlicher Text, wie er in einem Brief steht, Zeile um Zeile."
    line = text.encode() + b"\r\n"
    with Raw("127.0.0.1", repute.port, timeout=180) as client:
        body = line * (40_000_000 // len(line))
        assert client.message(FROM, [TO], content() + b"\r\n" + body[:-2])[0] == 250
    got = sink.wait(1, 180)[0].content
    assert b"Content-Transfer-Encoding: quoted-printable" in got[:4096], got[:600]
    assert quopri.decodestring(got[-4000:].split(b"\r\n", 1)[1]).replace(b"\r\n", b"\n").endswith(line.replace(b"\r\n", b"\n") * 20)
    used = peak() - before
    print(f"        {len(got) / 1e6:.0f} MB on the wire: {used:.0f} MiB more memory at the peak")
    # Once is what is on the wire; what comes in is let go as it is encoded.
    assert used < 2 * 45, f"{used:.0f} MiB"


def test_what_became_of_it(case):
    """`repute why` and `repute queue` know a message by id, address and in JSON."""
    sink, repute = world(case, local=True)
    with Raw("127.0.0.1", repute.port) as client:
        code, lines = client.message(FROM, [TO], content())
    assert code == 250
    sink.wait()
    said = repute.command("why", TO)
    assert "sink.example" in said or "127.0.0.1" in said, said
    assert "taken" in said, said
    assert repute.json("why", TO)
    repute.command("queue", "list", ok=(0, 1))


