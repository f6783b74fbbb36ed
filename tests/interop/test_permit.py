"""The permit against a real name server: a reverse name is taken away and given back, and mail waits in between."""
import json
import os
import re
import signal
import time

from kit import bind, receiver, room, seen as seen_host
from kit.case import needs, needs_room, wait_port
from kit.repute import Repute
from kit.smtp import Raw, content
from test_receiver import TOOLS, from_repute, zone_line


def zone_of(case):
    return case.folder / "bind" / "113.0.203.in-addr.arpa.zone"


def reload(case, text):
    """named reads a zone again whose file is newer, on SIGHUP."""
    zone_of(case).write_text(text)
    later = time.time() + 2
    os.utime(zone_of(case), (later, later))
    os.kill(int((case.folder / "bind" / "named.pid").read_text()), signal.SIGHUP)


def wait_for(repute, word, patience):
    """Until the permit of our address is in this state. The watch is told to look now, instead of in a minute; what it
    finds counts when it is found twice, five seconds apart."""
    until = time.time() + patience
    asked = 0
    while time.time() < until:
        if time.time() > asked + 6:
            repute.command("permit", "check", ok=None)
            asked = time.time()
        rows = repute.json("permit", ok=None)["rows"]
        if [row["word"] for row in rows] == [word]:
            return rows[0]
        time.sleep(1)
    raise AssertionError(f"not {word} after {patience} s: {rows}")


@needs_room
@needs(*TOOLS)
def test_a_lost_reverse_name_holds_mail_until_it_is_back(case):
    """Permitted; the PTR goes: suspended, mail waits with the reason and the fix; the PTR is back: mail goes."""
    repute, there = from_repute(case)
    wait_for(repute, "permitted", 60)
    good = zone_of(case).read_text()
    pointer = f"{room.SENDER.rsplit('.', 1)[1]} IN PTR"
    lost = "\n".join(line for line in good.splitlines() if not line.startswith(pointer)) + "\n"
    reload(case, lost.replace("( 1 60", "( 2 60"))
    row = wait_for(repute, "suspended", 120)
    assert row["check"].startswith("name.") and room.SENDER in row["why"], row
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message("app@sender.example", ["box@receiver.example"], content())[0] == 250
    time.sleep(3)
    assert not there.messages()
    waiting = repute.json("queue", "list")["rows"]
    assert [r["state"] for r in waiting] == ["barred"] and "no permit" in waiting[0]["reason"], waiting
    assert len(repute.json("incidents", ok=None)) == 1
    reload(case, good.replace("( 1 60", "( 3 60"))
    wait_for(repute, "permitted", 120)
    there.wait(1, 60)
    assert repute.json("incidents") == []


POOL = {room.SENDER: "mail.sender.example", room.STRANGER: "two.sender.example"}
EGRESSES = "".join(f'[[egress]]\naddress = "{a}"\nehlo = "{n}"\npool = "shop"\n\n' for a, n in POOL.items()) + f'[[egress]]\naddress = "{room.PUBLIC}"\n'


def pooled(case, domains=(), main=""):
    """sender.example leaves from two addresses of a pool; the third one of this server is not for it, and has no names."""
    repute = Repute(case, local=True, more=EGRESSES, start=False)
    repute.file.write_text(repute.file.read_text().replace('name = "sender.example"\n', 'name = "sender.example"\npool = "shop"\n', 1))
    records = json.loads(case.run([case.binary, "--config", repute.file, "records", "--format", "json"]))
    [spf] = [r["values"] for r in records if r["name"] == "sender.example" and r["purpose"] == "spf"]
    assert spf == [f"v=spf1 ip4:{room.SENDER} ip4:{room.STRANGER} ~all"], spf
    ours = "".join(f"{name}. IN A {address}\n" for address, name in POOL.items())
    ours += "".join(zone_line(r) for r in repute.records) + f'@ IN TXT "{spf[0]}"\n@ IN MX 10 mail\n_dmarc IN TXT "v=DMARC1; p=none"\n'
    theirs = {domain: f"@ IN MX 10 {receiver.NAME}.\n" for domain in domains}
    bind.Bind(case, bind.names({"sender.example": ours, "receiver.example": receiver.RECORDS, **theirs}, {**POOL, room.RECEIVER: receiver.NAME}))
    there = receiver.Mailbox(case, domains, main=main)
    repute.start()
    return repute, there


def words(repute):
    return {row["address"]: row["word"] for row in repute.json("permit", ok=None)["rows"]}


def until(repute, wanted, patience=120):
    """As `wait_for`, for the permits of several addresses."""
    end, asked = time.time() + patience, 0
    while time.time() < end:
        if time.time() > asked + 6:
            repute.command("permit", "check", ok=None)
            asked = time.time()
        if words(repute) == wanted:
            return
        time.sleep(1)
    raise AssertionError(f"not {wanted} after {patience} s: {words(repute)}")


def send(repute, to="box@receiver.example"):
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message("app@sender.example", [to], content())[0] == 250


def came_from(message):
    """The address that the receiver saw."""
    return re.search(r"\[([0-9.]+)\]", str(message.get_all("Received")[0])).group(1)


@needs_room
@needs("named", "postfix")
def test_mail_moves_within_its_pool_and_not_out_of_it(case):
    """Two addresses in the pool of the domain, one beside it: where one loses its name mail takes the other; where both do, it waits."""
    repute, there = pooled(case)
    until(repute, {address: "permitted" for address in POOL}, 60)
    send(repute)
    usual = came_from(there.wait(1, 60)[0])
    [other] = [address for address in POOL if address != usual]
    good = zone_of(case).read_text()
    gone = lambda *addresses: "".join(f"{line}\n" for line in good.splitlines() if not any(line.startswith(a.rsplit(".", 1)[1] + " IN PTR") for a in addresses))
    reload(case, gone(usual).replace("( 1 60", "( 2 60"))
    until(repute, {usual: "suspended", other: "permitted"})
    send(repute)
    assert came_from(there.wait(2, 60)[1]) == other
    reload(case, gone(usual, other).replace("( 1 60", "( 3 60"))
    until(repute, {usual: "suspended", other: "suspended"})
    send(repute)
    time.sleep(3)
    assert len(there.messages()) == 2 and [r["state"] for r in repute.json("queue", "list")["rows"]] == ["barred"]
    reload(case, good.replace("( 1 60", "( 4 60"))
    until(repute, {address: "permitted" for address in POOL})
    assert came_from(there.wait(3, 60)[2]) in POOL


@needs_room
@needs("named", "postfix")
def test_mail_goes_around_an_address_that_a_receiver_lists_itself(case):
    """Postfix refuses one of two addresses of the pool by a list of its own: what it refused comes from the other, and nothing is bounced."""
    listed = case.folder / "listed"
    listed.write_text(f"{room.SENDER} 554 5.7.1 Service unavailable; Client host [{room.SENDER}] blocked using bl.receiver.example\n")
    domains = [f"d{n}.example" for n in range(8)]
    repute, there = pooled(case, domains, f"smtpd_client_restrictions = check_client_access texthash:{listed}\n")
    until(repute, {address: "permitted" for address in POOL}, 60)
    for domain in domains:
        send(repute, f"box@{domain}")
    taken = there.wait(len(domains), 60)
    assert {came_from(message) for message in taken} == {room.STRANGER}, taken
    refused = [domain for domain in domains if "blocked using bl.receiver.example" in repute.command("why", f"box@{domain}")]
    assert refused and repute.json("queue", "list", ok=None)["rows"] == [], refused
    [around] = repute.json("status")["unwelcome"]
    assert (around["address"], around["receiver"]) == (room.SENDER, receiver.NAME), around
    assert f"{receiver.NAME} refused {room.SENDER}: mail to it leaves from elsewhere" in repute.command("status")
    # The next one does not try.
    send(repute, f"box@{refused[0]}")
    there.wait(len(domains) + 1, 60)
    assert repute.command("why", f"box@{refused[0]}").count("blocked using") == 1


@needs_room
@needs("named", "postfix", "openssl")
def test_mail_waits_while_receivers_see_another_address(case):
    """A router rewrites what goes out: a well-known host sees another address, twice; mail waits, and goes when it is right again."""
    repute = Repute(case, local=True, more=f'[[egress]]\naddress = "{room.SENDER}"\n\n[check]\nhosts = ["big.example"]\n', start=False)
    ours = f'mail IN A {room.SENDER}\n@ IN MX 10 mx.receiver.example.\n@ IN TXT "v=spf1 ip4:{room.SENDER} -all"\n_dmarc IN TXT "v=DMARC1; p=none"\n'
    ours += "".join(zone_line(r) for r in repute.records)
    zones = {"sender.example": ours, "big.example": f"@ IN A {room.CLIENT}\n", "receiver.example": receiver.RECORDS}
    bind.Bind(case, bind.names(zones, {room.SENDER: "mail.sender.example", room.RECEIVER: receiver.NAME}))
    there = receiver.Mailbox(case, domains=("sender.example",))
    seen, key, certificate = (case.folder / name for name in ("seen", "big.key", "big.crt"))
    seen.write_text("")
    case.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=big.example",
              "-keyout", key, "-out", certificate])
    case.start("big", ["/usr/bin/python3", seen_host.__file__, "big.example", room.CLIENT, seen, certificate, key], there=True, roughly=True)
    wait_port(room.CLIENT, 25)
    repute.start()
    until(repute, {room.SENDER: "permitted"}, 60)
    seen.write_text("198.51.100.200")
    until(repute, {room.SENDER: "suspended"})
    [row] = repute.json("permit", ok=None)["rows"]
    assert row["check"] == "ip.egress" and "big.example sees us come from 198.51.100.200" in row["why"], row
    send(repute)
    time.sleep(3)
    assert not there.messages() and [i["what"] for i in repute.json("incidents", ok=None)] == ["ip.egress"]
    seen.write_text("")
    until(repute, {room.SENDER: "permitted"})
    there.wait(1, 60)
    assert repute.json("incidents") == []
