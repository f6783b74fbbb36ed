"""Signed zones of every shape that mail meets: aliases, wildcards, renamed branches and proofs that something is absent."""
import re

from kit.case import needs, needs_room, wait_for, wait_port
from kit.repute import Repute
from kit.signed import CHILDREN, TLD, Internet
from kit.smtp import Raw, content

#: Each zone says that mail for it goes to one host; a domain in it, and the host that is tried for it, or what is wrong with the domain.
MAIL = """@ IN MX 10 mx
mx IN A {at}
@ IN A {at}
alone IN A {at}
alias IN CNAME @
out IN CNAME right.n3.example.
bare IN CNAME alone
void IN CNAME gone
right IN MX 10 mx
*.wild IN MX 10 mx
*.also IN CNAME @
host IN MX 10 one.hosts
*.hosts IN A {at}
old IN DNAME new
x.new IN MX 10 mx
below.between IN A {at}
*.text IN TXT "no mail"
"""
DOMAINS = {
    "": "mx", "alone.": "alone", "alias.": "mx", "bare.": "bare", "out.": "mx.n3", "one.wild.": "mx", "a.b.wild.": "mx", "one.also.": "mx",
    "host.": "one.hosts", "x.old.": "mx", "void.": "does not exist", "gone.": "does not exist", "between.": "neither an MX record", "one.text.": "neither an MX record",
}
ZONES = ("n1.example", "n3.example", "i3.example")


class Signed(Internet):
    """n3.example proves what is absent by NSEC3, i3.example by more rounds of it than validators go through (RFC 9276)."""

    def _sign(self, zone):
        name = self._file(zone)
        hashed = {"n3": ["-3", "-"], "i3": ["-3", "-", "-H", "150"]}.get(zone[:2], [])
        self.case.run(["dnssec-signzone", "-S", "-z", *hashed, "-o", zone, "-f", f"{name}.signed", name], cwd=self.folder)


@needs_room
@needs("named", "dnssec-keygen", "dnssec-signzone", "unbound", "smtp-sink")
def test_mail_finds_its_way_through_signed_zones_of_every_shape(case):
    """Through unbound, which validates, and by ourselves from the root: no domain of a sound zone waits for its signatures."""
    net = Signed(case, signed={zone: MAIL.format(at=CHILDREN) for zone in ZONES})
    case.start("sink", ["smtp-sink", "-u", "nobody", f"{CHILDREN}:25", "100"], there=True, roughly=True)
    wait_port(CHILDREN, 25)
    unbound = net.unbound()
    repute = Repute(case, start=False, local=True, more='[permit]\nenforce = false\n\n[watch]\nenabled = false\n')
    text = repute.file.read_text()
    own = f'[resolver]\nresolver = "own"\nroots = ["{TLD}"]\ntrust_anchor = "{net.anchor}"\ntimeout = "2s"\n'
    for resolver, block in {"unbound": unbound, "own": own}.items():
        repute.file.write_text(re.sub(r"\[resolver\]\n.*?\n\n", lambda _: block + "\n", text, flags=re.S))
        repute.start()
        wrong = [said for zone in ZONES for name, expected in DOMAINS.items() if (said := became(repute, f"{resolver}@{name}{zone}", expected, zone))]
        assert not wrong, "\n".join(wrong)
        repute.stop()


def became(repute, address, expected, zone):
    """What became of a message to the address, if it is not what was expected: a host, or words of a refusal."""
    with Raw("127.0.0.1", repute.port) as client:
        code, lines = client.message("app@sender.example", [address], content())
        assert code == 250, (address, lines)
    said = wait_for(f"an attempt to {address}", lambda: re.search(r"(delivered|deferred|failed) .*", repute.command("why", address)), 30)[0]
    host = f"by {expected}.example " if expected.endswith("n3") else f"by {expected}.{zone} "
    return None if (expected if " " in expected else host) in said else said
