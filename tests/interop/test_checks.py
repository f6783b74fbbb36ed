"""`repute check` against real name servers: a little internet of its own with a signed root."""
import json

from kit import bind, room
from kit.case import needs, needs_room, wait_port

TLD = room.NAMESERVER
CHILDREN = room.CLIENT

#: Served by the second server: signed, not signed, and signed with a record that was changed afterwards.
ZONES = ("good.example", "plain.example", "forged.example")


class Internet:
    """A root and `example.` at one address, three domains and the reverse zone at another. `servers` are signed domains
    with a second name server at another address, where `stale.example` is served as it was before."""

    def __init__(self, case, servers=None):
        servers = servers or {}
        self.case, self.folder = case, case.folder / "internet"
        self.folder.mkdir()
        self.anchor = self.folder / "root.anchor"
        reverse = "113.0.203.in-addr.arpa"
        for zone in ZONES:
            self._zone(zone, f"""@ IN NS ns
ns IN A {CHILDREN}
mail IN A {room.SENDER}
mail IN TXT "v=spf1 a -all"
@ IN MX 10 mail
@ IN TXT "v=spf1 ip4:{room.SENDER} -all"
""", signed=zone != "plain.example")
        for zone, address in servers.items():
            body = f"@ IN NS ns\n@ IN NS ns2\nns IN A {CHILDREN}\nns2 IN A {address}\nmail IN A {room.SENDER}\n@ IN MX 10 mail\n"
            self._zone(zone, body + f'@ IN TXT "v=spf1 ip4:{room.STRANGER} -all"\n')
            if zone.startswith("stale"):
                (self.folder / f"{zone}.signed").rename(self.folder / f"{zone}.before")
            (self.folder / zone).write_text((self.folder / zone).read_text().replace(room.STRANGER, room.SENDER).replace(" 1 60 60", " 2 60 60"))
            self._sign(zone)
        forged = self.folder / "forged.example.signed"
        forged.write_text(forged.read_text().replace(f"ip4:{room.SENDER} -all", f"ip4:{room.SENDER} ~all").replace("hostmaster.forged", "postmaster.forged"))
        self._zone(reverse, "@ IN NS ns.good.example.\n10 IN PTR mail.good.example.\n", signed=False)
        delegations = "".join(f"{z}. IN NS ns.{z}.\nns.{z}. IN A {CHILDREN}\n" for z in (*ZONES, *servers))
        delegations += "".join(f"{z}. IN NS ns2.{z}.\nns2.{z}. IN A {address}\n" for z, address in servers.items())
        self._zone("example", "@ IN NS ns.nic\nns.nic IN A " + TLD + "\n" + delegations + self._ds("good.example", "forged.example", *servers))
        self._zone(".", f"@ IN NS a.root.\na.root. IN A {TLD}\nexample. IN NS ns.nic.example.\nns.nic.example. IN A {TLD}\n"
                        f"{reverse}. IN NS ns.good.example.\n" + self._ds("example"), anchor=self.anchor)
        self._serve("root", TLD, [".", "example"], ())
        self._serve("children", CHILDREN, [*ZONES, *servers, reverse], ("plain.example", reverse))
        if "stale.example" in servers:
            self._serve("stale", servers["stale.example"], ["stale.example"], (), ".before")

    def _file(self, zone):
        return "root" if zone == "." else zone

    def _ds(self, *zones):
        return "".join((self.folder / f"dsset-{zone}.").read_text() for zone in zones)

    def _zone(self, zone, text, signed=True, anchor=None):
        name = self._file(zone)
        soa = f"$TTL 300\n@ IN SOA ns.good.example. hostmaster.{'example.' if zone == '.' else zone + '.'} 1 60 60 600 60\n"
        (self.folder / name).write_text(f"$ORIGIN {zone if zone == '.' else zone + '.'}\n" + soa + text)
        if signed:
            key = self.case.run(["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone], cwd=self.folder).strip().splitlines()[-1]
            self._sign(zone)
            if anchor:
                anchor.write_text((self.folder / f"{key}.key").read_text())

    def _sign(self, zone):
        name = self._file(zone)
        self.case.run(["dnssec-signzone", "-S", "-z", "-o", zone, "-f", f"{name}.signed", name], cwd=self.folder)

    def unbound(self):
        """unbound, validating, as the machine's resolver; the configuration that asks it."""
        conf = self.case.folder / "unbound.conf"
        (self.case.folder / "root.hints").write_text(f". 3600 IN NS a.root.\na.root. 3600 IN A {TLD}\n")
        conf.write_text(f"""
server:
    interface: 127.0.0.1
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    directory: "{self.case.folder}"
    do-ip6: no
    root-hints: "{self.case.folder}/root.hints"
    trust-anchor-file: "{self.anchor}"
    module-config: "validator iterator"
    local-zone: "113.0.203.in-addr.arpa." nodefault
remote-control:
    control-enable: no
""")
        unbound = self.case.start("unbound", ["/usr/sbin/unbound", "-d", "-c", conf])
        wait_port("127.0.0.1", 53, process=unbound)
        return f'[resolver]\nservers = ["127.0.0.1"]\ntrust_anchor = "{self.anchor}"\ntimeout = "2s"\n'

    def _serve(self, name, address, zones, plain, signed=".signed"):
        suffix = lambda z: self._file(z) + ("" if z in plain else signed)
        blocks = "".join(f'zone "{z}" {{ type primary; file "{suffix(z)}"; }};\n' for z in zones)
        (self.folder / f"{name}.conf").write_text(f"""
options {{ directory "{self.folder}"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no;
    pid-file "{self.folder}/{name}.pid"; session-keyfile "{self.folder}/{name}.session"; dnssec-validation no; managed-keys-directory "{self.folder}"; }};
controls {{ }};
{blocks}""")
        process = self.case.start(f"named-{name}", ["/usr/sbin/named", "-g", "-n", "1", "-c", self.folder / f"{name}.conf"], there=True)
        wait_port(address, 53, process=process)


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
