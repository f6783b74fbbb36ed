"""`repute domain rotate` beside a running server: keys are exchanged while mail goes, and every message verifies at the receiver."""
import json
import re
import threading

from kit import internet, receiver, room
from kit.bind import quoted
from kit.case import needs, needs_room, wait_for
from kit.repute import DOMAIN, Repute
from kit.smtp import Raw, content


class Mail:
    """A message five times a second, for as long as it is not stopped."""

    def __init__(self, case, port):
        self.port, self.sent, self.errors = port, 0, []
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._send, daemon=True)
        case.defer(self.stop)
        self.thread.start()

    def _send(self):
        with Raw("127.0.0.1", self.port) as client:
            while not self.end.wait(0.2):
                code, lines = client.message(f"app@{DOMAIN}", ["box@receiver.example"], content(subject=f"number {self.sent}"))
                if code != 250:
                    self.errors.append(lines)
                self.sent += 1

    def stop(self):
        self.end.set()
        self.thread.join(20)


def by_number(there):
    """What has come, in the order in which it was sent."""
    return sorted(((int(str(m["Subject"]).split()[1]), m) for m in there.messages()), key=lambda pair: pair[0])


def selectors(message):
    return {re.search(r"\bs=([\w-]+)", re.sub(r"\s", "", str(field)).replace(";", " "))[1] for field in message.get_all("DKIM-Signature")}


@needs_room
@needs("named", "nsupdate", "tsig-keygen", "postfix", "opendkim", "opendmarc")
def test_keys_are_exchanged_while_mail_goes(case):
    """Old keys, new keys, the old ones revoked: mail never stops, and whatever arrives has two signatures that verify or, where the
    verifier knows no Ed25519, one."""
    own = f'@ IN MX 10 mail\nmail IN A {room.SENDER}\n@ IN TXT "v=spf1 ip4:{room.SENDER} -all"\n_dmarc IN TXT "v=DMARC1; p=reject"\n'
    net = internet.Internet(case, {DOMAIN: own}, {"receiver.example": receiver.RECORDS}, {room.SENDER: f"mail.{DOMAIN}", room.RECEIVER: receiver.NAME})
    there = receiver.Receiver(case)
    repute = Repute(case, local=True, start=False, more=f'[[egress]]\naddress = "{room.SENDER}"\n\n[permit]\nenforce = false\n\n[watch]\nenabled = false\n')
    keys = [r for r in repute.records if "DKIM1" in r["value"]]
    net.change(*(f'add {r["name"].rstrip(".")} 60 TXT {quoted(r["value"])}' for r in keys))
    repute.start()
    mail = Mail(case, repute.port)

    def rotate(*more):
        said = repute.command("--json", "domain", "rotate", DOMAIN, "--resolver", room.NAMESERVER, "--server", room.NAMESERVER, "--publish", "rfc2136",
                              "--key-file", net.key_file, "--zone", DOMAIN, "--yes", "--wait", "20s", *more)
        return json.loads(said)

    there.wait(3)
    done = rotate()
    old, new = {row["selector"] for row in done["leaving"]}, set(done["signing"])
    assert done["exchanged"] and not old & new, done
    # The old ones go when all that they have signed has been read.
    def read_whole():
        there_now = by_number(there)
        first = next((n for n, message in there_now if selectors(message) == new), None)
        return first is not None and len([n for n, _ in there_now if n <= first + 3]) == first + 4
    wait_for("all by the old keys, and some by the new ones", read_whole)
    revoked = rotate("--keep", "0s")
    assert set(revoked["revoked"]) == old, revoked
    there.wait(len(there.messages()) + 5)
    mail.stop()
    assert not mail.errors, mail.errors[:3]
    there.wait(mail.sent)
    numbers, messages = zip(*by_number(there))
    assert numbers == tuple(range(mail.sent)), numbers
    signed = [selectors(message) for message in messages]
    olds = signed.count(old)
    assert signed == [old] * olds + [new] * (len(signed) - olds), signed
    for message in messages:
        found = receiver.verdicts(message)
        dkim = [result for method, result, _ in found if method == "dkim"]
        assert "pass" in dkim and set(dkim) <= {"pass", "neutral"} and ("dmarc", "pass") in {(m, r) for m, r, _ in found}, (message["Subject"], found)
    print(f"        {len(messages)} messages, {olds} by the old keys")
