"""Each group of checks with a set-up that passes, one that fails, and one that cannot be known; and name servers that differ."""
import json
import os
import signal
import time

from kit import internet, receiver, room
from kit.case import needs, needs_room, wait_port
from kit.signed import CHILDREN, TLD, Internet
from test_checks import check

DOMAIN, HOST = "example.org", "mail.example.org"
ZONE, LAST = internet.reverse_zone(room.PUBLIC)
GROUPS = ("dns", "ip", "name", "bl", "spf", "dkim", "dmarc")


def outcomes(case, file):
    """Check to its outcomes, and how long it took."""
    began = time.monotonic()
    report = json.loads(case.run([case.binary, "--config", file, "--json", "check", "--dns-only", "--deadline", "10"], ok=None))
    found = {}
    for finding in report["findings"]:
        found.setdefault(finding["id"], set()).add(finding["outcome"])
    return found, time.monotonic() - began


def of_group(found, group):
    return {id: outcomes for id, outcomes in found.items() if id.split(".")[0] == group}


@needs_room
@needs("named", "nsupdate", "dig", "tsig-keygen")
def test_every_group_passes_fails_and_is_unknown(case):
    """The set-up of `repute setup`; the same with everything broken; the same with name servers that are silent."""
    net = internet.Internet(case, {DOMAIN: "@ IN MX 10 mx.receiver.example.\n", ZONE: ""}, {"receiver.example": receiver.RECORDS}, {room.RECEIVER: receiver.NAME})
    file = case.folder / "new" / "repute.toml"
    case.run([case.binary, "--config", file, "--json", "setup", "--hostname", HOST, "--domain", DOMAIN, "--address", room.PUBLIC, "--yes",
              "--publish", "rfc2136", "--server", room.NAMESERVER, "--key-file", net.key_file, "--zone", DOMAIN, "--zone", ZONE,
              "--resolver", room.NAMESERVER, "--wait", "20s"])
    with open(file, "a") as config:
        config.write("\n")
    good, _ = outcomes(case, file)
    for group in GROUPS:
        found = of_group(good, group)
        assert any("pass" in o for o in found.values()), (group, good)
        assert not any({"fail", "unknown"} & o for o in found.values()), (group, found)

    keys = [r["name"].rstrip(".") for r in json.loads(case.run([case.binary, "--config", file, "--json", "records"])) if "_domainkey" in r["name"]]
    # `include:` of a name without a record cannot be evaluated; the TTL is one that DNS would not forget for two days.
    put_back = net.change(f"delete {LAST}.{ZONE} PTR", f"delete bounces.{DOMAIN} TXT", f"delete _dmarc.{DOMAIN} TXT", *(f"delete {key} TXT" for key in keys),
                          f"add {internet.reversed_v4(room.PUBLIC)}.zen.spamhaus.org 60 A 127.0.0.2",
                          f"add {internet.reversed_v4(room.PUBLIC)}.zen.spamhaus.org 60 A 127.0.0.10",
                          "add 2.0.0.127.zen.spamhaus.org 60 A 127.255.255.254")
    bad, _ = outcomes(case, file)
    put_back()
    for group in ("name", "spf", "dkim", "dmarc"):
        assert any("fail" in o for o in of_group(bad, group).values()), (group, of_group(bad, group))
    # A list that refuses says nothing of us, whatever else it answers.
    assert "fail" in bad["dns.resolver"] and "fail" not in bad["bl.ip"] | bad["ip.static"], bad
    put_back = net.change(f"add {internet.reversed_v4(room.PUBLIC)}.zen.spamhaus.org 60 A 127.0.0.2",
                          f"add {internet.reversed_v4(room.PUBLIC)}.zen.spamhaus.org 60 A 127.0.0.10")
    listed, _ = outcomes(case, file)
    put_back()
    assert "fail" in listed["bl.ip"] and "fail" in listed["ip.static"], listed

    os.kill(net.process.pid, signal.SIGSTOP)
    case.defer(lambda: os.kill(net.process.pid, signal.SIGCONT))
    silent, took = outcomes(case, file)
    os.kill(net.process.pid, signal.SIGCONT)
    # What the configuration alone tells is known all the same; the neighbours are counted once a day; a list that few ask is
    # passed over where it says nothing.
    local = {"ip.public", "ip.neighbours", "bl.health", "bl.monitor", "name.helo.fqdn", "name.hostlocal", "name.tld", "dkim.strength", "dkim.age", "dkim.dual", "dkim.align", "dkim.headers", "dkim.l",
             "dkim.canon", "dkim.expiry", "spf.align", "name.helo.stable"}
    for group in GROUPS:
        found = {id: o for id, o in of_group(silent, group).items() if id not in local}
        assert any(o == {"unknown"} for o in found.values()), (group, found)
        assert not any({"pass", "fail"} & o for o in found.values()), (group, found)
    print(f"        with silent name servers it ends after {took:.0f} s")


@needs_room
@needs("named", "dnssec-keygen", "dnssec-signzone", "unbound")
def test_a_name_server_that_is_stale_lame_or_silent_is_named(case):
    """Signed zones behind unbound. Of several name servers one has yesterday's zone, or none, or does not answer."""
    net = Internet(case, servers={"stale.example": room.RECEIVER, "lame.example": TLD, "silent.example": "198.51.100.77"})
    servers = net.unbound()
    found, _ = check(case, servers, "--only", "dns.authoritative,spf.pass.each")
    assert {o for o, _ in found["dns.authoritative"]} == {"pass"}, found
    found, code = check(case, servers, "--only", "dns.authoritative", domain="stale.example")
    wrong = [v for o, v in found["dns.authoritative"] if o == "fail"]
    assert wrong and all("ns2.stale.example" in v for v in wrong) and code == 2, found
    found, code = check(case, servers, "--only", "dns.authoritative", domain="lame.example")
    wrong = [v for o, v in found["dns.authoritative"] if o == "fail"]
    # Once, and not for each record that is asked of it.
    assert len(wrong) == 1 and wrong[0].startswith("ns2.lame.example is a name server of lame.example and does not serve it") and code == 2, found
    # Who is silent may be right: that is not known, and never called wrong. The resolver asks it too, and may have to wait for it.
    found, code = check(case, servers, "--only", "dns.authoritative", domain="silent.example")
    said = [(o, v) for o, v in found["dns.authoritative"] if o != "pass"]
    assert said and all(o in ("unknown", "warn") for o, _ in said) and any("ns2.silent.example" in v for _, v in said), found
