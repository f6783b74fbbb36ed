"""A receiver as a careful postmaster runs it: Postfix with policyd-spf, opendkim, opendmarc, behind BIND."""
import smtplib

from kit import bind, receiver, room
from kit.case import needs, needs_room, wait_for
from kit.postfix import Postfix
from kit.repute import Repute
from kit.smtp import Raw, content

TOOLS = ("postfix", "opendkim", "opendkim-genkey", "opendmarc", "policyd-spf", "named", "swaks")


#: Other domains that are received for at the same place, each with another way to it.
WAYS = {
    "byaddress.example": f"@ IN A {room.RECEIVER}\n",
    "second.example": f"@ IN MX 5 dead\n@ IN MX 10 {receiver.NAME}.\ndead IN A {room.NAMESERVER}\n",
    "alias.example": "@ IN MX 10 other\nother IN CNAME mx.receiver.example.\n",
    "lost.example": f"@ IN MX 5 nowhere\n@ IN MX 10 {receiver.NAME}.\n",
    "both.example": f"@ IN MX 10 mx\nmx IN A {room.RECEIVER}\nmx IN AAAA 2001:db8::25\n",
}
#: And those that mail cannot go to.
NO_WAY = {"null.example": "@ IN MX 0 .\n", "none.example": "@ IN TXT \"no mail here\"\n"}

#: Reached over IPv6 alone.
SIX = {"six.example": f"@ IN MX 10 mx6\nmx6 IN AAAA {room.RECEIVER6}\n"}


def world(case, dkim):
    """The zones of sender.example, which says p=reject, and of those that receive."""
    sender = f"""
@ IN MX 10 mx.receiver.example.
@ IN TXT "v=spf1 ip4:{room.SENDER} ip6:{room.SENDER6} -all"
_dmarc IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
mail IN A {room.SENDER}
mail IN AAAA {room.SENDER6}
{dkim}
"""
    pointers = {room.SENDER: "mail.sender.example", room.RECEIVER: receiver.NAME, room.STRANGER: "stranger.example",
                room.SENDER6: "mail.sender.example", room.RECEIVER6: "mx6.six.example"}
    return bind.Bind(case, bind.names({"sender.example": sender, "receiver.example": receiver.RECORDS, **WAYS, **NO_WAY, **SIX}, pointers))


@needs_room
@needs(*TOOLS)
def test_the_receiver_refuses_a_forger(case):
    """The control: unsigned, from an address that SPF does not permit, p=reject must refuse it."""
    world(case, "")
    there = receiver.Receiver(case)
    said = case.run(["swaks", "--server", room.RECEIVER, "--local-interface", room.STRANGER, "--ehlo", "stranger.example",
                     "--from", "bob@sender.example", "--to", "box@receiver.example", "--silent", "1"], ok=None)
    assert "550" in said and not there.messages(), said


@needs_room
@needs(*TOOLS)
def test_the_receiver_knows_a_good_sender(case):
    """The control: Postfix with opendkim, set up right, passes all three."""
    keys = case.folder / "genkey"
    keys.mkdir()
    case.run(["opendkim-genkey", "-b", "2048", "-d", "sender.example", "-s", "s1", "-D", keys])
    world(case, (keys / "s1.txt").read_text())
    there = receiver.Receiver(case)
    (keys / "sign.conf").write_text(f"Syslog no\nRequireSafeKeys no\nMode s\nCanonicalization relaxed/relaxed\nDomain sender.example\nSelector s1\n"
                                    f"KeyFile {keys}/s1.private\nSocket inet:8892@127.0.0.1\nInternalHosts 127.0.0.0/8\n")
    case.start("opendkim-sign", ["/usr/sbin/opendkim", "-f", "-x", keys / "sign.conf"], roughly=True)
    Postfix(case, "sender", "127.0.0.1:2600", f"myhostname = mail.sender.example\nmynetworks = 127.0.0.0/8\n"
            f"smtpd_milters = inet:127.0.0.1:8892\nmilter_default_action = tempfail\ninet_protocols = ipv4\nsmtp_bind_address = {room.SENDER}\n", there=False)
    case.run(["swaks", "--server", "127.0.0.1:2600", "--from", "bob@sender.example", "--to", "box@receiver.example"])
    found = receiver.verdicts(there.wait()[0])
    results = {(method, result) for method, result, _ in found}
    assert {("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")} <= results, found


def from_repute(case, egress=None):
    """The world with Repute in it: keys by `repute domain add`, records as it printed them."""
    repute = Repute(case, local=True, more=f'[[egress]]\naddress = {egress or [room.SENDER]}\n')
    world(case, "".join(zone_line(r) for r in repute.records))
    certificate = next(f for f in repute.state.rglob("*.pem") if "keys" not in f.parts and "BEGIN CERTIFICATE" in f.read_text())
    key = next(f for f in repute.state.rglob("*.pem") if "keys" not in f.parts and "PRIVATE KEY" in f.read_text())
    return repute, receiver.Receiver(case, domains=("sender.example", *WAYS, *SIX), tls=(certificate, key))


def zone_line(record):
    return f"{record['name'].rstrip('.')}. IN {record['type']} {bind.quoted(record['value'])}\n"


#: Messages that are easily broken on the way from signing to verifying.
LETTERS = {
    "plain": content(),
    "empty body": content(body=""),
    "blank lines at the end": content(body="x\r\n\r\n\r\n\r\n"),
    "blanks at ends of lines": content(body="x \t \r\n \r\ny  z\r\n"),
    "dots": content(body=".\r\n..\r\n.x\r\n").replace(b"\r\n.", b"\r\n.."),
    "folded fields": content(subject="a\r\n  b\r\n\tc"),
    "UTF-8 body": content(extra="MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", body="Grüße ✓\r\n"),
    "long lines": content(body="x" * 3000 + "\r\n"),
    "attachment": content(extra="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
                          body="--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"),
    "bulk": content(extra="List-Unsubscribe: <https://sender.example/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"),
    "large": content(body=("y" * 70 + "\r\n") * 20_000),
}


@needs_room
@needs(*TOOLS)
def test_repute_passes_everything(case):
    """dkim=pass for both keys, spf=pass, dmarc=pass, over TLS, for letters of every kind."""
    repute, there = from_repute(case)
    with Raw("127.0.0.1", repute.port) as client:
        for what, octets in LETTERS.items():
            octets = octets.replace(b"Subject: ", f"X-What: {what}\r\nSubject: ".encode(), 1)
            code, lines = client.message("app@sender.example", ["box@receiver.example"], octets)
            assert code == 250, (what, lines)
    wrong, ed25519 = [], 0
    for message in there.wait(len(LETTERS)):
        found = receiver.verdicts(message)
        dkim = {p.split("header.a=")[1].split()[0]: result for method, result, p in found if method == "dkim" and "header.a=" in p}
        results = {(method, result) for method, result, _ in found}
        # A verifier that does not know Ed25519 says neutral or nothing; one that does must say pass.
        fine = dkim.get("rsa-sha256") == "pass" and dkim.get("ed25519-sha256", "neutral") in ("pass", "neutral")
        ed25519 += dkim.get("ed25519-sha256") == "pass"
        if not fine or not {("spf", "pass"), ("dmarc", "pass")} <= results:
            wrong.append(f"{message['X-What']}: {found}")
        first = str(message.get_all("Received")[0])
        assert f"[{room.SENDER}]" in first and "mail.sender.example" in first and "TLSv1.3" in first, first
    assert not wrong, "\n".join(wrong)
    print(f"        {len(LETTERS)} letters: rsa-sha256, spf and dmarc pass; ed25519-sha256 known to this verifier: {'yes' if ed25519 else 'no'}")


@needs_room
@needs(*TOOLS)
def test_repute_finds_the_way(case):
    """Every way that DNS can point: no MX, a dead first MX, an MX that is an alias or does not exist, IPv6 beside IPv4."""
    repute, there = from_repute(case)
    recipients = [f"box@{domain}" for domain in WAYS]
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message("app@sender.example", recipients, content())[0] == 250
    there.wait(len(WAYS), 60)


@needs_room
@needs(*TOOLS)
def test_repute_says_why_there_is_no_way(case):
    """A null MX, a domain without address and a domain that does not exist come back, each with its own code."""
    repute, there = from_repute(case)
    with Raw("127.0.0.1", repute.port) as client:
        for domain in (*NO_WAY, "missing.receiver.example"):
            assert client.message("app@sender.example", [f"box@{domain}"], content())[0] == 250
    text = "".join(m.as_string() for m in there.wait(3))
    for status in ("5.1.10", "5.1.2"):
        assert f"Status: {status}" in text, text
    for message in there.wait(3):
        # Our notices are mail of ours: they pass as well.
        assert ("dmarc", "pass") in {(m, r) for m, r, _ in receiver.verdicts(message)}, receiver.verdicts(message)


@needs_room
@needs(*TOOLS)
def test_a_letter_that_is_handed_on_passes(case):
    """A stranger answers to the return path: what reaches the mailbox for replies passes SPF, DKIM and DMARC as ours."""
    bounces = "bounces.sender.example"
    repute = Repute(case, local=True, listeners=("submission", "return"), start=False, more=f'[[egress]]\naddress = "{room.SENDER}"\n')
    text = repute.file.read_text().replace('name = "sender.example"\n', f'name = "sender.example"\nreturn_path = "{bounces}"\n', 1)
    repute.file.write_text(text.replace('name = "local"\n', 'name = "local"\nreplies = "box@receiver.example"\n', 1))
    world(case, "".join(zone_line(r) for r in repute.records) + f'bounces IN MX 10 mail\nbounces IN TXT "v=spf1 ip4:{room.SENDER} -all"\n')
    there = receiver.Receiver(case)
    repute.start()
    with Raw("127.0.0.1", repute.port) as client:
        code, lines = client.message("app@sender.example", ["box@receiver.example"], content(subject="to the list"))
        assert code == 250, lines
    [sent] = there.wait(1)
    path = str(sent["Return-Path"]).strip("<>")
    assert path.endswith("@" + bounces), sent.as_string()
    letter = "From: Ann <ann@stranger.example>\r\nTo: x\r\nSubject: Re: to the list\r\nMessage-ID: <r1@stranger.example>\r\n\r\nA question.\r\n"
    wait_for("the history has it", lambda: "delivered box@receiver.example" in repute.command("why", "box@receiver.example"))
    with smtplib.SMTP("127.0.0.1", repute.ports["return"], timeout=60) as client:
        client.sendmail("ann@stranger.example", [path], letter)
    handed = there.wait(2)[1]
    assert "postmaster@sender.example" in str(handed["From"]) and str(handed["Reply-To"]) == "Ann <ann@stranger.example>", handed.as_string()
    found = receiver.verdicts(handed)
    results = {(method, result) for method, result, _ in found}
    assert {("spf", "pass"), ("dkim", "pass"), ("dmarc", "pass")} <= results, found


@needs_room
@needs(*TOOLS)
def test_repute_over_ipv6(case):
    """An egress with an IPv6 address: from it to hosts that have IPv6 alone, and everything passes there too."""
    if not room.ipv6():
        return
    repute, there = from_repute(case, egress=[room.SENDER, room.SENDER6])
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message("app@sender.example", ["box@six.example", "box@receiver.example"], content())[0] == 250
    messages = there.wait(2)
    sources = [str(m.get_all("Received")[0]) for m in messages]
    assert any(f"[IPv6:{room.SENDER6}]" in s for s in sources) and any(f"[{room.SENDER}]" in s for s in sources), sources
    for message in messages:
        results = {(method, result) for method, result, _ in receiver.verdicts(message)}
        assert {("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")} <= results, results
