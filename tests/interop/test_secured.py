"""What domains ask for themselves is kept: DANE and MTA-STS, with Postfix, signed zones of BIND, unbound, and a host for policies."""
import hashlib
import os
import sys

from kit import receiver, room
from kit.case import needs, needs_room, wait_for, wait_port
from kit.postfix import Postfix
from kit.repute import Repute
from kit.signed import CHILDREN, Internet
from kit.smtp import Raw, content

TOOLS = ("postfix", "named", "dnssec-keygen", "dnssec-signzone", "unbound", "openssl")

#: Serves the policies: each host its own, by HTTPS.
POLICIES = """
import http.server, json, ssl, sys
policies = json.load(open(sys.argv[4]))
class Host(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = policies.get(self.headers["Host"], "").encode()
        self.send_response(200 if text else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
server = http.server.ThreadingHTTPServer((sys.argv[1], 443), Host)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


class Authority:
    """A certificate authority, and one certificate of it for all names of the test."""

    def __init__(self, case, names):
        self.case, self.folder = case, case.folder / "ca"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.file, self.certificate, self.key = (self.folder / n for n in ("ca.pem", "host.pem", "host.key"))
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self._openssl("req", "-x509", *curve, "-keyout", self.folder / "ca.key", "-out", self.file, "-days", "2", "-subj", "/CN=Test Authority")
        self._openssl("req", *curve, "-keyout", self.key, "-out", self.folder / "host.csr", "-subj", "/CN=host")
        (self.folder / "names").write_text("subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
        self._openssl("x509", "-req", "-in", self.folder / "host.csr", "-CA", self.file, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
                      "-out", self.certificate, "-days", "2", "-extfile", self.folder / "names")
        self.key.chmod(0o644)

    def _openssl(self, *words):
        self.case.run(["openssl", *words])

    def key_hash(self):
        """For TLSA 3 1 1."""
        der = self.folder / "key.der"
        self._openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER", "-out", der)
        return hashlib.sha256(der.read_bytes()).hexdigest()


def policy(mx):
    return f"version: STSv1\r\nmode: enforce\r\nmx: {mx}\r\nmax_age: 604800\r\n"


STS = {"sts.example": "mx.sts.example", "elsewhere.example": "mx.other.example", "strip.example": "mx.strip.example", "name.example": "*.name.example"}


class World:
    def __init__(self, case):
        self.case = case
        authority = Authority(case, ["mx.right.example", "mx.sts.example", "mx.elsewhere.example", "*.nobody.example", *(f"mta-sts.{d}" for d in STS)])
        mail = lambda at, more="": f"@ IN MX 10 mx\nmx IN A {at}\n{more}"
        promised = lambda hash: f"_25._tcp.mx IN TLSA 3 1 1 {hash}\n"
        sts = lambda at: mail(at, f'_mta-sts IN TXT "v=STSv1; id=1;"\nmta-sts IN A {CHILDREN}\n')
        right, wrong = authority.key_hash(), "00" * 32
        sender = f'@ IN MX 10 mail\nmail IN A {room.SENDER}\n@ IN TXT "v=spf1 ip4:{room.SENDER} -all"\n'
        self.net = Internet(case, signed={
            "right.example": mail(room.RECEIVER, promised(right)), "wrong.example": mail(room.RECEIVER, promised(wrong)),
            "clear.example": mail(CHILDREN, promised(right)), "nothing.example": mail(CHILDREN)},
            unsigned={"sender.example": sender, "unsigned.example": mail(CHILDREN, promised(wrong)), "sts.example": sts(room.RECEIVER),
                      "elsewhere.example": sts(room.RECEIVER), "strip.example": sts(CHILDREN), "name.example": sts(room.RECEIVER)})
        self.there = receiver.Mailbox(case, domains=("right.example", "wrong.example", *STS), tls=(authority.certificate, authority.key))
        plain = "clear.example, nothing.example, unsigned.example, strip.example"
        Postfix(case, "plain", f"{CHILDREN}:25", f"myhostname = mx.clear.example\nmynetworks = 127.0.0.0/8\ninet_protocols = ipv4\n"
                f"virtual_mailbox_domains = {plain}\nvirtual_mailbox_base = {self.there.mail}\nvirtual_mailbox_maps = static:box/\n"
                f"virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\nvirtual_minimum_uid = 1\n")
        script, table = case.folder / "policies.py", case.folder / "policies.json"
        script.write_text(POLICIES)
        table.write_text(str({f"mta-sts.{d}": policy(mx) for d, mx in STS.items()}).replace("'", '"'))
        self.policies = case.start("policies", [sys.executable, script, CHILDREN, authority.certificate, authority.key, table], there=True, roughly=True)
        wait_port(CHILDREN, 443, process=self.policies)
        self.environment = {**os.environ, "SSL_CERT_FILE": str(authority.file)}
        self.repute = Repute(case, start=False, local=True, more=f'[[egress]]\naddress = "{room.SENDER}"\n\n[permit]\nenforce = false\n\n[watch]\nenabled = false\n')
        self.repute.resolve(self.net.unbound())
        self.repute.start(env=self.environment)

    def send(self, *domains):
        with Raw("127.0.0.1", self.repute.port) as client:
            for domain in domains:
                code, lines = client.message("app@sender.example", [f"box@{domain}"], content(subject=domain))
                assert code == 250, lines

    def told(self, domain):
        """What `repute why` says once the first attempt was made."""
        def settled():
            said = self.repute.command("why", f"box@{domain}")
            return said if "delivered" in said or "deferred" in said or "failed" in said else None
        return wait_for(f"an attempt to {domain}", settled)

    def came(self):
        return sorted(str(m["Subject"]) for m in self.there.messages())


@needs_room
@needs(*TOOLS)
def test_dane_and_mta_sts_are_kept(case):
    """Right certificates are delivered to; wrong ones, missing STARTTLS and wrong hosts make mail wait, and none goes in clear."""
    world = World(case)
    world.send("right.example", "wrong.example", "clear.example", "nothing.example", "unsigned.example", *STS)
    for domain, expected in {
            "right.example": "(dane)", "nothing.example": "delivered", "unsigned.example": "delivered", "sts.example": "(mta-sts)",
            "wrong.example": "another certificate than its TLSA records promise", "clear.example": "does not offer STARTTLS",
            "elsewhere.example": "names mx.other.example", "strip.example": "does not offer STARTTLS",
            "name.example": "not valid for mx.name.example"}.items():
        said = world.told(domain)
        assert expected in said, (domain, said)
    delivered = ["nothing.example", "right.example", "sts.example", "unsigned.example"]
    assert world.came() == delivered, world.came()
    # Who takes the host of the policy away, and the server's memory with it, gains nothing.
    world.policies.kill()
    world.repute.stop()
    world.repute.start(env=world.environment)
    world.send("strip.example", "sts.example")
    wait_for("the other one", lambda: world.came() == sorted([*delivered, "sts.example"]))
    assert "(mta-sts)" in world.repute.command("why", "box@sts.example")
    assert world.told("strip.example").count("does not offer STARTTLS") >= 2
    assert "strip.example" not in world.came(), world.came()
