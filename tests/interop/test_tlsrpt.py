"""Domains that ask for it are told how TLS with their hosts went (RFC 8460): by mail to Postfix, and by HTTPS."""
import datetime
import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys

from kit import receiver, room
from kit.case import needs, needs_room, wait_for, wait_port
from kit.postfix import Postfix
from kit.repute import DOMAIN, Repute
from kit.signed import CHILDREN, Internet
from kit.smtp import Raw, content
from test_receiver import zone_line
from test_secured import TOOLS, Authority

#: Takes reports: each request becomes a file with its head and another with its body. The first is told to come again.
COLLECTOR = """
import http.server, json, ssl, sys
folder, count = sys.argv[4], 0
class Host(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = {"path": self.path, "type": self.headers["Content-Type"], "host": self.headers["Host"]}
        open(f"{folder}/{count}.body", "wb").write(body)
        open(f"{folder}/{count}.head", "w").write(json.dumps(head))
        count += 1
        self.send_response(503 if count == 1 else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.ThreadingHTTPServer((sys.argv[1], 443), Host)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

#: Domains that ask for reports, and where.
MAIL, WEB = "right.example", "web.example"
ASKED = {
    MAIL: f"mailto:tls@{MAIL}",
    "wrong.example": "mailto:tls@wrong.example",
    "clear.example": f"mailto:tls@{MAIL}",
    WEB: f"https://collector.{WEB}/v1/tls?key=1",
}


class World:
    """Hosts with the promised certificate, with another one, without STARTTLS and without a policy, each domain with a
    record that asks for reports; `unasked.example` has none."""

    def __init__(self, case):
        self.case = case
        authority = Authority(case, ["mx.right.example", f"collector.{WEB}"])
        mail = lambda domain, at: (f"@ IN MX 10 mx\nmx IN A {at}\n"
                                   + (f'_smtp._tls IN TXT "v=TLSRPTv1; rua={ASKED[domain]}"\n' if domain in ASKED else ""))
        promised = lambda hash: f"_25._tcp.mx IN TLSA 3 1 1 {hash}\n"
        right, wrong = authority.key_hash(), "00" * 32
        sender = f'@ IN MX 10 mail\nmail IN A {room.SENDER}\n@ IN TXT "v=spf1 ip4:{room.SENDER} -all"\n'
        self.repute = Repute(case, start=False, local=True, more=f'''
[[egress]]
address = "{room.SENDER}"

[permit]
enforce = false

[watch]
enabled = false

[tls_reports]
organisation = "Sender & Sons"
''')
        sender += "".join(zone_line(r) for r in self.repute.records if "_domainkey" in r["name"])
        self.net = Internet(case, signed={MAIL: mail(MAIL, room.RECEIVER) + promised(right),
                                          "wrong.example": mail("wrong.example", room.RECEIVER) + promised(wrong),
                                          "clear.example": mail("clear.example", CHILDREN) + promised(right)},
                            unsigned={DOMAIN: sender, "unasked.example": mail("unasked.example", room.RECEIVER),
                                      WEB: mail(WEB, room.RECEIVER) + f"collector IN A {CHILDREN}\n"})
        self.there = receiver.Mailbox(case, domains=(MAIL, "wrong.example", WEB, "unasked.example"), tls=(authority.certificate, authority.key))
        Postfix(case, "plain", f"{CHILDREN}:25", f"myhostname = mx.clear.example\nmynetworks = 127.0.0.0/8\ninet_protocols = ipv4\n"
                f"virtual_mailbox_domains = clear.example\nvirtual_mailbox_base = {self.there.mail}\nvirtual_mailbox_maps = static:box/\n"
                f"virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\nvirtual_minimum_uid = 1\n")
        self.collected = case.folder / "collected"
        self.collected.mkdir()
        self.collected.chmod(0o777)
        script = case.folder / "collector.py"
        script.write_text(COLLECTOR)
        collector = case.start("collector", [sys.executable, script, CHILDREN, authority.certificate, authority.key, self.collected], there=True, roughly=True)
        wait_port(CHILDREN, 443, process=collector)
        self.environment = {**os.environ, "SSL_CERT_FILE": str(authority.file)}
        self.repute.resolve(self.net.unbound())
        self.repute.start(env=self.environment)

    def send(self, *domains):
        with Raw("127.0.0.1", self.repute.port) as client:
            for domain in domains:
                code, lines = client.message(f"app@{DOMAIN}", [f"box@{domain}"], content(subject=domain))
                assert code == 250, lines
        for domain in domains:
            settled = lambda: any(word in self.repute.command("why", f"box@{domain}") for word in ("delivered", "deferred"))
            wait_for(f"an attempt to {domain}", settled)

    def three_days_pass(self):
        """The server stops, and when it starts again all that it kept is three days older."""
        self.repute.stop()
        with sqlite3.connect(self.repute.state / "tls.sqlite") as db:
            db.execute("UPDATE session SET day = day - 3")
        db.close()
        self.repute.start(env=self.environment)

    def make_due(self):
        """What waits for its next attempt does not wait."""
        self.repute.stop()
        with sqlite3.connect(self.repute.state / "tls.sqlite") as db:
            assert db.execute("UPDATE owed SET next = 0").rowcount > 0
        db.close()
        self.repute.start(env=self.environment)

    def reports(self):
        """The letters with reports, by the domain that they are about."""
        return {m["TLS-Report-Domain"]: m for m in self.there.messages() if m["TLS-Report-Domain"]}

    def posts(self):
        return sorted(int(head.stem) for head in self.collected.glob("*.head"))


def attached(letter):
    """The report of a letter, and the name of its file."""
    assert letter.get_content_type() == "multipart/report" and letter.get_param("report-type") == "tlsrpt", letter["Content-Type"]
    person, report = letter.iter_parts()
    assert person.get_content_type() == "text/plain" and report.get_content_type() == "application/tlsrpt+gzip"
    return json.loads(gzip.decompress(report.get_content())), report.get_filename()


def failures(report):
    return [(p["policy"]["policy-type"], p["policy"]["policy-domain"], d["result-type"], d["receiving-mx-hostname"], d["sending-mta-ip"], d["receiving-ip"])
            for p in report["policies"] for d in p.get("failure-details", [])]


def summary(report):
    return [(p["policy"]["policy-type"], *p["summary"].values()) for p in report["policies"]]


@needs_room
@needs(*TOOLS, "opendkim-testmsg")
def test_domains_that_ask_are_told_how_tls_went(case):
    """Sessions that passed and that failed are reported by mail, also where TLS fails, and by POST, again where it was refused."""
    world = World(case)
    repute = world.repute
    world.send(MAIL, "wrong.example", "clear.example", WEB, "unasked.example")
    counted = {row["domain"]: (row["policy"], row["result"]) for row in repute.json("tls")["rows"]}
    assert counted == {MAIL: ("tlsa", None), "wrong.example": ("tlsa", "tlsa-invalid"), "clear.example": ("tlsa", "starttls-not-supported"),
                       WEB: ("no-policy-found", None), "unasked.example": ("no-policy-found", None)}, counted
    assert "starttls-not-supported" in repute.command("tls", "clear.example")
    day = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(3)
    world.three_days_pass()
    letters = wait_for("three letters", lambda: (r := world.reports()) and len(r) == 3 and r, 30)
    good, name = attached(letters[MAIL])
    begin = int(datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc).timestamp())
    assert name == f"{DOMAIN}!{MAIL}!{begin}!{begin + 86399}.json.gz", name
    assert letters[MAIL]["TLS-Report-Submitter"] == DOMAIN and letters[MAIL]["From"].endswith(f"<postmaster@{DOMAIN}>")
    assert summary(good) == [("tlsa", 1, 0)] and good["organization-name"] == "Sender & Sons", good
    assert good["date-range"] == {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"}, good
    assert re.fullmatch(r"3 1 1 [0-9a-f]{64}", good["policies"][0]["policy"]["policy-string"][0]), good
    # Mail to it waits for the right certificate, and the report goes all the same.
    wrong, _ = attached(letters["wrong.example"])
    at = (room.SENDER, room.RECEIVER)
    assert failures(wrong)[0] == ("tlsa", "mx.wrong.example", "tlsa-invalid", "mx.wrong.example", *at), wrong
    assert summary(wrong)[0][1] == 0 and "wrong.example" not in [str(m["Subject"]) for m in world.there.messages()]
    clear, _ = attached(letters["clear.example"])
    assert failures(clear)[0] == ("tlsa", "mx.clear.example", "starttls-not-supported", "mx.clear.example", room.SENDER, CHILDREN), clear
    room.resolv("127.0.0.1")
    case.defer(lambda: room.resolv(room.NAMESERVER))
    for letter in world.there.files():
        if b"TLS-Report-Domain:" in letter.read_bytes():
            verified = subprocess.run(["opendkim-testmsg"], stdin=open(letter), capture_output=True, text=True)
            assert verified.returncode == 0, verified.stderr
            said = repute.json("reports", "read", str(letter))
            assert said["what"] == "tls-report" and said["report"]["policies"], said
    # The collector said 503 at first.
    wait_for("a POST", world.posts, 30)
    repute.wait_said("waits for https://collector", 20)
    world.make_due()
    wait_for("another POST", lambda: len(world.posts()) == 2, 30)
    for number in world.posts():
        head = json.loads((world.collected / f"{number}.head").read_text())
        assert head == {"path": "/v1/tls?key=1", "type": "application/tlsrpt+gzip", "host": f"collector.{WEB}"}, head
    bodies = [json.loads(gzip.decompress((world.collected / f"{n}.body").read_bytes())) for n in world.posts()]
    assert bodies[0] == bodies[1] and summary(bodies[0]) == [("no-policy-found", 1, 0)], bodies
    # Nobody is told twice, and of what nobody asked for nothing is kept.
    with sqlite3.connect(repute.state / "tls.sqlite") as db:
        wait_for("nothing is owed", lambda: db.execute("SELECT count(*) FROM owed").fetchone() == (0,), 10)
        assert db.execute("SELECT count(*) FROM session WHERE domain != 'wrong.example' AND domain != 'clear.example'").fetchone() == (0,)
    db.close()
    assert len([m for m in world.there.messages() if m["TLS-Report-Domain"]]) == 3
