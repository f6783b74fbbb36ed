"""A BIND name server at 198.51.100.53 with the zones of the little world, on TCP and UDP 53."""
import ipaddress

from . import room
from .case import wait_port

HEAD = """$TTL 60
@ IN SOA ns.world.example. hostmaster.world.example. ( 1 60 60 600 60 )
@ IN NS ns.world.example.
"""

#: Zone to the first part of its addresses.
REVERSE = {"113.0.203.in-addr.arpa": "203.0.113.", "100.51.198.in-addr.arpa": "198.51.100."}


def quoted(text):
    """A text of any length as a TXT record has it."""
    return " ".join(f'"{text[at:at + 250]}"' for at in range(0, len(text), 250))


def names(records, pointers):
    """The zones: `records` by zone as zone file text, `pointers` as address to name."""
    zones = {"world.example": f"ns IN A {room.NAMESERVER}\n", **records}
    for address, name in pointers.items():
        if ":" in address:
            # A zone of its own for each: the simplest that is right.
            zones[ipaddress.ip_address(address).reverse_pointer] = f"@ IN PTR {name}.\n"
    for zone, prefix in REVERSE.items():
        lines = [f"{a[len(prefix):]} IN PTR {n}." for a, n in pointers.items() if a.startswith(prefix)]
        zones[zone] = "\n".join(lines) + "\n"
    return zones


def named(case, folder, addresses, blocks, name="named", head=""):
    """BIND at these addresses, with the zones of `blocks`, whose files are in the folder; `head` stands before all else."""
    conf = folder / f"{name}.conf"
    conf.write_text(f"""{head}
options {{ directory "{folder}"; listen-on {{ {"; ".join(addresses)}; }}; listen-on-v6 {{ none; }};
    recursion no; pid-file "{folder}/{name}.pid"; session-keyfile "{folder}/{name}.session";
    dnssec-validation no; managed-keys-directory "{folder}"; }};
controls {{ }};
{blocks}""")
    process = case.start(name, ["/usr/sbin/named", "-g", "-n", "1", "-c", conf], there=True)
    wait_port(addresses[0], 53, process=process)
    return process


class Bind:
    def __init__(self, case, zones):
        self.case, self.folder = case, case.folder / "bind"
        self.folder.mkdir()
        for name, text in zones.items():
            (self.folder / f"{name}.zone").write_text(HEAD + text)
        blocks = "".join(f'zone "{n}" {{ type primary; file "{n}.zone"; }};\n' for n in zones)
        self.process = named(case, self.folder, [room.NAMESERVER, "127.0.0.1"], blocks)
