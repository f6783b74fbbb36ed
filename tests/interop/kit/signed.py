"""A little internet with a signed root, on BIND, and unbound that validates from it."""
from . import room
from .bind import named
from .case import wait_port

TLD = room.NAMESERVER
CHILDREN = room.CLIENT

#: Served by the second server: signed, not signed, and signed with a record that was changed afterwards.
ZONES = ("good.example", "plain.example", "forged.example")


class Internet:
    """A root and `example.` at one address, three domains and the reverse zone at another. `servers` are signed domains
    with a second name server at another address, where `stale.example` is served as it was before; `signed` and `unsigned`
    are further domains, each with its records."""

    def __init__(self, case, servers=None, signed=None, unsigned=None):
        servers, others = servers or {}, {**(signed or {}), **(unsigned or {})}
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
        for zone, records in others.items():
            self._zone(zone, f"@ IN NS ns\nns IN A {CHILDREN}\n{records}", signed=zone in (signed or {}))
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
        delegations = "".join(f"{z}. IN NS ns.{z}.\nns.{z}. IN A {CHILDREN}\n" for z in (*ZONES, *servers, *others))
        delegations += "".join(f"{z}. IN NS ns2.{z}.\nns2.{z}. IN A {address}\n" for z, address in servers.items())
        self._zone("example", "@ IN NS ns.nic\nns.nic IN A " + TLD + "\n" + delegations + self._ds("good.example", "forged.example", *servers, *(signed or {})))
        self._zone(".", f"@ IN NS a.root.\na.root. IN A {TLD}\nexample. IN NS ns.nic.example.\nns.nic.example. IN A {TLD}\n"
                        f"{reverse}. IN NS ns.good.example.\n" + self._ds("example"), anchor=self.anchor)
        self._serve("root", TLD, [".", "example"], ())
        self._serve("children", CHILDREN, [*ZONES, *servers, *others, reverse], ("plain.example", reverse, *(unsigned or {})))
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
        named(self.case, self.folder, [address], blocks, name=f"named-{name}")
