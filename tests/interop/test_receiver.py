"""A receiver as a careful postmaster runs it: Postfix with policyd-spf, opendkim, opendmarc, behind BIND."""
from kit import bind, receiver, room
from kit.case import needs, needs_room
from kit.postfix import Postfix

TOOLS = ("postfix", "opendkim", "opendkim-genkey", "opendmarc", "policyd-spf", "named", "swaks")


def world(case, dkim):
    """The zones of sender.example, which says p=reject, and of receiver.example."""
    sender = f"""
@ IN MX 10 mail
@ IN TXT "v=spf1 ip4:{room.SENDER} -all"
_dmarc IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
mail IN A {room.SENDER}
{dkim}
"""
    pointers = {room.SENDER: "mail.sender.example", room.RECEIVER: receiver.NAME, room.STRANGER: "stranger.example"}
    return bind.Bind(case, bind.names({"sender.example": sender, "receiver.example": receiver.RECORDS}, pointers))


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
    case.start("opendkim-sign", ["/usr/sbin/opendkim", "-f", "-x", keys / "sign.conf"])
    Postfix(case, "sender", "127.0.0.1:2600", f"myhostname = mail.sender.example\nmynetworks = 127.0.0.0/8\n"
            f"smtpd_milters = inet:127.0.0.1:8892\nmilter_default_action = tempfail\nsmtp_bind_address = {room.SENDER}\n", there=False)
    case.run(["swaks", "--server", "127.0.0.1:2600", "--from", "bob@sender.example", "--to", "box@receiver.example"])
    found = receiver.verdicts(there.wait()[0])
    results = {(method, result) for method, result, _ in found}
    assert {("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")} <= results, found
