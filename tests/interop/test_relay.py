"""In no configuration is this an open relay: tried from outside, in every way that is known."""
import time

from kit import room
from kit.case import needs_room
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Closed, Raw, content, unverified

FOREIGN = "victim@elsewhere.example"
HOST = "mail.sender.example"

#: Recipients that have made other servers relay, with how each gets through where it does.
RECIPIENTS = [
    f"<{FOREIGN}>",
    "<victim%elsewhere.example@sender.example>",
    "<victim%elsewhere.example@bounces.sender.example>",
    f"<victim%elsewhere.example@{HOST}>",
    "<victim%elsewhere.example@[127.0.0.1]>",
    "<victim%elsewhere.example>",
    "<\"victim%elsewhere.example\">",
    f"<\"{FOREIGN}\">",
    f"<\"{FOREIGN}\"@bounces.sender.example>",
    f"<@bounces.sender.example:{FOREIGN}>",
    f"<@{HOST}:{FOREIGN}>",
    f"<@bounces.sender.example,@{HOST}:{FOREIGN}>",
    "<elsewhere.example!victim>",
    "<elsewhere.example!victim@bounces.sender.example>",
    "<victim@elsewhere.example@bounces.sender.example>",
    f"<{FOREIGN}@bounces.sender.example>",
    "<victim@[198.51.100.25]>",
    "<victim@[IPv6:2001:db8::1]>",
    "<victim@198.51.100.25>",
    "<victim>",
    "<>",
    f"{FOREIGN}",
    f"<{FOREIGN}> <box@bounces.sender.example>",
    f"<box@bounces.sender.example,{FOREIGN}>",
    f"<box@bounces.sender.example>,<{FOREIGN}>",
    "<victim@elsewhere.example.>",
    "<victim@BOUNCES.sender.example.elsewhere.example>",
    "<\\victim@elsewhere.example>",
    "<postmaster@elsewhere.example>",
    f"<box@bounces.sender.example\0@elsewhere.example>",
]

#: Senders that pretend to be from here.
SENDERS = ["<>", f"<{FOREIGN}>", "<app@sender.example>", "<app@bounces.sender.example>", f"<root@{HOST}>", "<app@localhost>",
           "<app>", "<app@[127.0.0.1]>", "<@sender.example:spam@elsewhere.example>"]


def try_all(host, port, sink, source=None, tls=False):
    """Every pair; whatever is accepted by RCPT is gone on with. Returns what was accepted."""
    accepted = []
    for sender in SENDERS:
        client = None
        for recipient in RECIPIENTS:
            try:
                if client is None:
                    client = Raw(host, port, source=source)
                    if tls:
                        client.starttls()
                if client.command(f"MAIL FROM:{sender}")[0] != 250:
                    # A server that refuses the sender must not take a recipient.
                    if client.command(f"RCPT TO:{recipient}")[0] == 250:
                        accepted.append((sender, recipient, "RCPT without MAIL"))
                elif client.command(f"RCPT TO:{recipient}")[0] == 250 and client.command("DATA")[0] == 354:
                    client.send(content() + b"\r\n.\r\n")
                    if client.reply()[0] == 250:
                        accepted.append((sender, recipient, "taken"))
                client.command("RSET")
            except Closed:
                client = None
        if client:
            client.close()
    time.sleep(0.5)
    assert not sink.messages, f"relayed: {sink.messages[0]}"
    return accepted


def test_submission_without_log_in(case):
    """587 takes nothing from whom it does not know, in the clear and under TLS."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, top="", more="[limits]\nerrors = 1000\n")
    assert try_all("127.0.0.1", repute.port, sink) == []
    assert try_all("127.0.0.1", repute.port, sink, tls=True) == []


def test_a_known_address_is_bound_to_its_domains(case):
    """A client known by its address may send as its domains alone, in envelope and in From."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, local=True)
    with Raw("127.0.0.1", repute.port) as client:
        for sender in (FOREIGN, "app@SENDER.example.elsewhere.example", "app@sub.elsewhere.example"):
            code, lines = client.command(f"MAIL FROM:<{sender}>")
            assert code == 550, (sender, code, lines)
            assert any("sender.example" in line or "domain" in line for line in lines), lines
        for foreign in ("ceo@elsewhere.example", "app@sender.example.elsewhere.example"):
            code, lines = client.message("app@sender.example", ["bob@receiver.example"], content(sender=foreign))
            assert code == 550, (foreign, code, lines)
        two = content(extra="From: <ceo@elsewhere.example>\r\n")
        assert client.message("app@sender.example", ["bob@receiver.example"], two)[0] // 100 == 5
    time.sleep(0.3)
    assert not sink.messages


@needs_room
def test_a_known_address_elsewhere(case):
    """An account by address holds for that address: another client is nobody."""
    sink = Sink(case)
    more = '[[account]]\nname = "printer"\ndomains = ["sender.example"]\naddresses = ["203.0.113.66"]\n\n[limits]\nerrors = 1000\n'
    repute = Repute(case, sink=sink, host="0.0.0.0", more=more)
    assert try_all(room.SENDER, repute.port, sink, source=room.SENDER) == []
    with Raw(room.SENDER, repute.port, source=room.STRANGER) as client:
        assert client.message("app@sender.example", ["bob@receiver.example"], content())[0] == 250
    sink.wait()


@needs_room
def test_port_25(case):
    """25 takes mail for return paths alone, whoever asks and however."""
    sink = Sink(case)
    repute = Repute(case, sink=sink, local=True, host="0.0.0.0", listeners=("submission", "submissions", "return"), ports={"return": 25},
                    more="[limits]\nerrors = 1000\n")
    text = repute.file.read_text()
    repute.stop()
    repute.file.write_text(text.replace('name = "sender.example"\n', 'name = "sender.example"\nreturn_path = "bounces.sender.example"\n', 1))
    repute.start()
    for host, source in (("127.0.0.1", None), (room.SENDER, room.STRANGER)):
        taken = try_all(host, 25, sink, source=source)
        foreign = [t for t in taken if "elsewhere" in t[1] and not t[1].rstrip(">").lower().endswith("@bounces.sender.example")]
        assert not foreign, foreign
    with Raw("127.0.0.1", 25) as client:
        client.starttls(unverified())
        assert not any(e.startswith("AUTH") for e in client.extensions), client.extensions


def test_log_in_does_not_open_the_door(case):
    """Somebody who has logged in is still bound to his domains; another's bounce is none of his."""
    import smtplib

    from kit.repute import PASSWORD
    sink = Sink(case)
    repute = Repute(case, sink=sink)
    with smtplib.SMTP("127.0.0.1", repute.port) as client:
        client.starttls(context=unverified())
        client.login("app", PASSWORD)
        for sender in (FOREIGN, "app@sender.example.evil.example"):
            code, text = client.mail(sender)
            assert code == 550, (sender, code, text)
            client.rset()
    assert not sink.messages
