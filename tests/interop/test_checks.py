"""`repute check` against real name servers: a little internet of its own with a signed root."""
import json

from kit import bind, room
from kit.case import needs, needs_room, wait_port
from kit.signed import TLD, Internet

def check(case, more, *words, domain="good.example"):
    """The findings of a run, by id, and its exit code."""
    folder = case.folder / "set-up"
    folder.mkdir(exist_ok=True)
    file = folder / "repute.toml"
    file.write_text(f'hostname = "mail.{domain}"\nstate = "{folder}/state"\n\n[[egress]]\naddress = "{room.SENDER}"\n\n{more}\n'
                    f'[[domain]]\nname = "{domain}"\ndanger_unsigned = true\n')
    report = json.loads(case.run([case.binary, "--config", file, "--json", "check", "--dns-only", *words], ok=None))
    found = {}
    for finding in report["findings"]:
        found.setdefault(finding["id"], []).append((finding["outcome"], finding["verdict"]))
    return found, report["exit_code"]


@needs_room
@needs("named", "dnssec-keygen", "dnssec-signzone")
def test_own_resolver_goes_from_the_roots_and_tells_signed_unsigned_and_forged_apart(case):
    """`resolver = "own"`: three domains under a signed root, one of them forged."""
    net = Internet(case)
    own = f'[resolver]\nresolver = "own"\nroots = ["{TLD}"]\ntrust_anchor = "{net.anchor}"\ntimeout = "2s"\n'
    found, _ = check(case, own, "--only", "dnssec.own,dns.dnssec,name.fcrdns,spf.pass.each")
    assert found["dns.dnssec"][0][0] == "pass", found
    assert found["dnssec.own"][0] == ("pass", "good.example is signed, and its signatures are valid"), found
    assert found["name.fcrdns"][0][0] == "pass", found
    assert found["spf.pass.each"][0][0] == "pass", found
    found, _ = check(case, own, "--only", "dnssec.own,spf.pass.each", domain="plain.example")
    assert found["dnssec.own"][0] == ("pass", "plain.example is not signed (DNSSEC)"), found
    assert found["spf.pass.each"][0][0] == "pass", found
    found, code = check(case, own, "--only", "dnssec.own,spf.exists,spf.pass.each", domain="forged.example")
    assert found["dnssec.own"][0][0] == "fail" and "broken" in found["dnssec.own"][0][1], found
    # What is forged is never taken for an answer, nor for none.
    assert all(outcome == "unknown" for outcome, _ in found["spf.pass.each"]), found
    assert code == 2


@needs_room
@needs("named", "dnssec-keygen", "dnssec-signzone", "unbound")
def test_unbound_as_resolver_is_believed_where_it_validates(case):
    """The same three domains through unbound, which validates from the same root."""
    net = Internet(case)
    servers = net.unbound()
    found, _ = check(case, servers, "--only", "dnssec.own,name.fcrdns")
    assert found["dnssec.own"][0] == ("pass", "good.example is signed, and its signatures are valid"), found
    assert found["name.fcrdns"][0][0] == "pass", found
    found, _ = check(case, servers, "--only", "dnssec.own", domain="plain.example")
    assert found["dnssec.own"][0][1] == "plain.example is not signed (DNSSEC)", found
    found, _ = check(case, servers, "--only", "dnssec.own", domain="forged.example")
    assert found["dnssec.own"][0][0] == "fail", found


class Expired(Internet):
    """Its signatures ended long ago, of all records."""

    def _sign(self, zone):
        when = ["-P", "-s", "20250101000000", "-e", "20250201000000"] if zone == "expired.example" else []
        name = self._file(zone)
        self.case.run(["dnssec-signzone", "-S", "-z", *when, "-o", zone, "-f", f"{name}.signed", name], cwd=self.folder)


@needs_room
@needs("named", "dnssec-keygen", "dnssec-signzone", "unbound")
def test_a_zone_whose_signatures_ended_is_told_though_a_resolver_that_validates_says_nothing_of_it(case):
    """Each check of it was not known, and the domain was gone for receivers. A domain beneath it is as well."""
    net = Expired(case, signed={"expired.example": f'mail IN A {room.SENDER}\n@ IN MX 10 mail\n@ IN TXT "v=spf1 -all"\n'})
    own = f'[resolver]\nresolver = "own"\nroots = ["{TLD}"]\ntrust_anchor = "{net.anchor}"\ntimeout = "2s"\n'
    for servers in (own, net.unbound()):
        for domain in ("expired.example", "news.expired.example"):
            found, code = check(case, servers, "--only", "dnssec.own,spf.exists", domain=domain)
            outcome, verdict = found["dnssec.own"][0]
            assert outcome == "fail" and verdict.startswith("the signatures of expired.example ended at 2025-02-01T00:00:00"), found
            assert found["spf.exists"][0][0] == "unknown" and code == 2, found


@needs_room
@needs("named", "rbldnsd")
def test_lists_that_answer_refuse_wildcard_and_are_empty(case):
    """rbldnsd with four lists of the user's own; only the one that is sound is believed."""
    zones = {"listed.test": f":127.0.0.2:listed\n127.0.0.2\n{room.SENDER}\n", "clean.test": ":127.0.0.2:listed\n127.0.0.2\n",
             "wild.test": ":127.0.0.2:all\n0.0.0.0/0\n", "empty.test": ":127.0.0.2:none\n", "refuses.test": ":127.255.255.254:no\n0.0.0.0/0\n"}
    folder = case.folder / "lists"
    folder.mkdir()
    folder.chmod(0o777)
    for name, text in zones.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
    words = [f"{name}:ip4trie:{name}" for name in zones]
    case.start("rbldnsd", ["/usr/sbin/rbldnsd", "-n", "-f", "-b", f"{room.CLIENT}/5353", "-w", folder, "-u", "nobody", *words], there=True, roughly=True)
    forward = "".join(f'zone "{n}" {{ type forward; forward only; forwarders {{ {room.CLIENT} port 5353; }}; }};\n' for n in zones)
    served = bind.names({"sender.example": f"mail IN A {room.SENDER}\n"}, {room.SENDER: "mail.sender.example"})
    conf = case.folder / "lists.conf"
    text = ""
    for name, text_of in served.items():
        (case.folder / f"{name}.zone").write_text(bind.HEAD + text_of)
        text += f'zone "{name}" {{ type primary; file "{case.folder}/{name}.zone"; }};\n'
    conf.write_text(f"""
options {{ directory "{case.folder}"; listen-on {{ {room.NAMESERVER}; }}; listen-on-v6 {{ none; }}; recursion yes; allow-recursion {{ any; }};
    pid-file "{case.folder}/l.pid"; session-keyfile "{case.folder}/l.session"; dnssec-validation no; managed-keys-directory "{case.folder}"; empty-zones-enable no; }};
controls {{ }};
{text}{forward}""")
    named = case.start("named-lists", ["/usr/sbin/named", "-g", "-n", "1", "-c", conf], there=True)
    wait_port(room.NAMESERVER, 53, process=named)
    table = "".join(f"""
[[list]]
name = "{name.split('.')[0]}"
zone = "{name}"
holds = "addresses"
v4 = true
tier = "blocking"
lookup = "https://{name}/{{q}}"

[[list.code]]
code = "127.0.0.2"
name = "entry"
cause = "it is in the file"
""" for name in zones)
    (case.folder / "own-lists.toml").write_text(table)
    more = f'[resolver]\nservers = ["{room.NAMESERVER}"]\ndnssec = false\ntimeout = "2s"\n[lists]\nfile = "{case.folder}/own-lists.toml"\n'
    found, code = check(case, more, "--only", "bl.ip,bl.health", domain="sender.example")
    listed = [verdict for outcome, verdict in found["bl.ip"] if outcome == "fail"]
    assert len(listed) == 1 and "is on listed: entry (127.0.0.2)" in listed[0], found
    said = dict((verdict.split(" ")[0], verdict) for _, verdict in found["bl.health"])
    assert "passes its self-test" in said["clean"] and "passes its self-test" in said["listed"], said
    assert "lists everything" in said["wild"] and "empty" in said["empty"] and "refuses to answer" in said["refuses"], said
    assert code == 2
