"""An internet for a new set-up: a root under which nothing else exists, black lists that pass their
self-tests, and zones of one's own that take DNS UPDATE. One BIND at 198.51.100.53 serves all of it,
and is the resolver of everybody in the room.
"""
import pathlib
import tomllib

from . import room
from .bind import HEAD, named, names

LISTS = pathlib.Path(__file__).resolve().parents[3] / "crates" / "trust" / "data" / "lists.toml"

#: RFC 5782 §5: what every list of addresses holds.
TEST_ENTRY = "2.0.0.127"
TEST_ENTRY_6 = ".".join(reversed("0" * 20 + "ffff7f000002"))


def lists():
    """The zones of all lists that `repute check` asks, each with its test entry."""
    zones = {}
    for entry in tomllib.loads(LISTS.read_text())["list"]:
        if "zone" not in entry:
            continue
        lines = zones.setdefault(entry["zone"], [])
        if entry["holds"] == "domains":
            tests = [entry.get("test_listed", "test")]
        else:
            tests = [TEST_ENTRY] + [TEST_ENTRY_6] * entry.get("v6", False)
        lines += [f"{test} IN A 127.0.0.2\n" for test in tests]
    return {zone: "".join(lines) for zone, lines in zones.items()}


def reversed_v4(address):
    return ".".join(reversed(address.split(".")))


def reverse_zone(address):
    """The zone of a /24, and the name of the address in it."""
    last, *rest = reversed_v4(address).split(".")
    return ".".join(rest) + ".in-addr.arpa", last


class Internet:
    """`own` are zones that the key of `key_file` may change, by name with their text; `others` may not be."""

    def __init__(self, case, own, others, pointers=None):
        self.case, self.folder = case, case.folder / "internet"
        self.folder.mkdir()
        self.key_file = self.folder / "setup.key"
        self.key_file.write_text(case.run(["tsig-keygen", "-a", "hmac-sha256", "setup"]))
        zones = {".": f"ns.world.example. IN A {room.NAMESERVER}\n", **lists(), **names(others, pointers or {})}
        zones = {name: text for name, text in zones.items() if name not in own}
        self.zones = [*zones, *own]
        blocks = ""
        for name, text in {**zones, **own}.items():
            file = "root" if name == "." else name
            (self.folder / f"{file}.zone").write_text(HEAD + text)
            # Lists may be changed as well: that is how somebody comes to be on one.
            may = name != "."
            policy = "update-policy { grant setup zonesub ANY; };" if may else ""
            blocks += f'zone "{name}" {{ type primary; file "{file}.zone"; {policy} }};\n'
        self.process = named(case, self.folder, [room.NAMESERVER], blocks, head=self.key_file.read_text())

    def change(self, *lines):
        """Changes zones by lines of `nsupdate`, such as `add NAME TTL A 192.0.2.1` and `delete NAME TXT`; each name has to
        be in one of the zones. Returns how to undo it."""
        names = dict.fromkeys(line.split()[1].rstrip(".") for line in lines)
        questions = [word for name in names for word in (name, "ANY")]
        answer = self.case.run(["dig", "+noall", "+answer", "+norec", f"@{room.NAMESERVER}", *questions])
        was = [" ".join(record.split()) for record in answer.splitlines()]
        self._update(lines)
        back = [f"delete {name}" for name in names] + [f"add {record.replace(' IN ', ' ', 1)}" for record in was]
        return lambda: self._update(back)

    def zone_of(self, name):
        within = [zone for zone in self.zones if name == zone or name.endswith("." + zone)]
        return max(within, key=len)

    def _update(self, lines):
        """One update for each zone."""
        text = f"server {room.NAMESERVER}\n"
        for zone in dict.fromkeys(map(self._zone_of_line, lines)):
            text += f"zone {zone}\n" + "".join(f"update {line}\n" for line in lines if self._zone_of_line(line) == zone) + "send\n"
        self.case.run(["nsupdate", "-k", self.key_file], stdin=text)

    def _zone_of_line(self, line):
        return self.zone_of(line.split()[1].rstrip("."))
