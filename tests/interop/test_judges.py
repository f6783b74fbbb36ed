"""rspamd and SpamAssassin judge what a running Repute sends, with the records that `repute setup` published.

Beside them stands `repute mirror`, which is sent the same: what it predicts of both filters is held against what
they say. BIND is the only resolver, and serves the black lists too.
"""
import base64
import collections
import email.utils
import json
import os
import pathlib
import time

from kit import internet, receiver, room
from kit.case import needs, needs_room, wait_for, wait_port
from kit.judges import Rspamd, SpamAssassin
from kit.repute import Repute
from kit.smtp import Raw, content

TOOLS = ("named", "nsupdate", "dig", "tsig-keygen", "postfix", "rspamd", "spamd", "openssl")
DOMAIN, HOST = "example.org", "mail.example.org"
PATH = f"bounces.{DOMAIN}"
ZONE, LAST = internet.reverse_zone(room.PUBLIC)
POINTER = f"{LAST}.{ZONE}"

Verdict = collections.namedtuple("Verdict", "predicted rspamd spamassassin report message")


class Court:
    """Repute as `repute setup` makes it, and all who judge."""

    def __init__(self, case):
        self.case = case
        own = {DOMAIN: "@ IN MX 10 mx.receiver.example.\n", ZONE: ""}
        others = {"receiver.example": receiver.RECORDS, "mirror.example": f"@ IN MX 10 mx\nmx IN A {room.CLIENT}\n"}
        self.net = internet.Internet(case, own, others, {room.RECEIVER: receiver.NAME})
        self.rspamd, self.spamassassin = Rspamd(case), SpamAssassin(case)
        self.there = receiver.Mailbox(case, tls=self._certificate(), main=f"smtpd_milters = {Rspamd.milter}\nmilter_default_action = tempfail\n")
        words = [case.binary, "mirror", "--listen", f"{room.CLIENT}:25", "--host", "mx.mirror.example", "--resolver", f"{room.NAMESERVER}:53", "--json"]
        self.mirror = case.start("mirror", words, there=True)
        wait_port(room.CLIENT, 25, process=self.mirror)
        self.repute = Repute.of(case, case.folder / "new" / "repute.toml")
        self.setup()
        # What is broken on purpose has to leave all the same, and the receiver looks at the address anew each time.
        self.repute.append('[permit]\nenforce = false\n[limits]\nmessages_per_session = 1\n[[listener]]\nkind = "submission"\naddress = "127.0.0.1:0"\n'
                           f'[[account]]\nname = "local"\ndomains = ["{DOMAIN}"]\naddresses = ["127.0.0.1"]')
        self.repute.start()
        self.sent = 0

    def setup(self):
        """`repute setup` publishes by DNS UPDATE; a later run puts right what is not."""
        self.case.run([self.case.binary, "--config", self.repute.file, "--json", "setup", "--hostname", HOST, "--domain", DOMAIN, "--address", room.PUBLIC,
                       "--yes", "--publish", "rfc2136", "--server", room.NAMESERVER, "--key-file", self.net.key_file, "--zone", DOMAIN, "--zone", ZONE,
                       "--resolver", room.NAMESERVER, "--wait", "20s"])

    def _certificate(self):
        files = self.case.folder / "receiver.crt", self.case.folder / "receiver.key"
        self.case.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                       "-subj", f"/CN={receiver.NAME}", "-out", files[0], "-keyout", files[1]])
        return files

    def reports(self):
        return [json.loads(line) for line in self.mirror.said().splitlines() if line.startswith("{") and line.endswith("}")]

    def send(self, octets):
        """A message through Repute, as both filters see it, and as the mirror does."""
        with Raw("127.0.0.1", self.repute.port) as client:
            assert client.message(f"news@{DOMAIN}", ["box@receiver.example", "box@mirror.example"], octets)[0] == 250
        return self.judged()

    def judged(self):
        """What was made of the message that was sent last."""
        self.sent += 1
        message = self.there.wait(self.sent)[-1]
        report = wait_for("a report of the mirror", lambda: (r := self.reports()) and len(r) >= self.sent and r)[-1]
        predicted = {score["filter"]: {s["name"]: s["points"] for s in score["symbols"]} for score in report["points"]}
        octets = self.there.files()[-1].read_bytes()
        return Verdict(predicted, self.rspamd.symbols(message), self.spamassassin.symbols(octets), report, message)


LETTER = content(subject="Your order 4711", sender=f"news@{DOMAIN}", to="box@receiver.example",
                 body="Dear customer,\r\n\r\nyour order has left our house today and will be with you on Friday.\r\n\r\nKind regards\r\nThe shop\r\n")

#: Symbols with points that no check of ours is about. DKIM_SIGNED: SpamAssassin gives it for every signature, and DKIM_VALID
#: takes it back. HTML_MESSAGE: a thousandth for HTML as such. R_MIXED_CHARSET: the words themselves. SPF_HELO_FAIL: a
#: thousandth for the record of the name in EHLO, where it is broken too; `spf.pass.each` looks at that record without points.
ELSEWHERE = {"DKIM_SIGNED", "HTML_MESSAGE", "R_MIXED_CHARSET", "SPF_HELO_FAIL"}


def unknown_here():
    """Symbols of rspamd that it can not raise here: a later version's, and one that needs a list that is downloaded."""
    later = {name for name in ("R_SPF_PLUSALL",) if name not in pathlib.Path("/usr/share/rspamd/plugins/spf.lua").read_text()}
    return later | {"FREEMAIL_REPLYTO_NEQ_FROM"}


def known(case):
    """What the checks predict, as `repute check --explain` says: check to its signs, by name; filter to its symbols."""
    ids = [entry["id"] for entry in json.loads(case.run([case.binary, "--json", "check", "--list"]))]
    signs = {i: {s["name"]: s for s in json.loads(case.run([case.binary, "--json", "check", "--explain", i]))["filters"]} for i in ids}
    symbols = {f: {rule[0] for of in signs.values() for s in of.values() for rule in s[f]} for f in ("rspamd", "spamassassin")}
    return signs, symbols


def disagreements(verdict, symbols):
    """Where the mirror predicts other symbols than the filters raised."""
    wrong = []
    raised = {n: p for n, p in verdict.rspamd.items() if n in symbols["rspamd"] and p}
    for name in sorted(raised.keys() | verdict.predicted["rspamd"].keys()):
        one, other = verdict.predicted["rspamd"].get(name), raised.get(name)
        if one != other and name not in unknown_here():
            wrong.append(f"rspamd {name}: predicted {one}, raised {other}")
    raised = {n for n in verdict.spamassassin if n in symbols["spamassassin"]}
    for name in sorted(raised ^ verdict.predicted["spamassassin"].keys()):
        wrong.append(f"SpamAssassin {name}: {'not predicted' if name in raised else 'predicted, not raised'}")
    for name, points in {**verdict.rspamd, **verdict.spamassassin}.items():
        if points > 0 and not any(name in s for s in symbols.values()) and name not in ELSEWHERE:
            wrong.append(f"{name} ({points}) is known to no check")
    return wrong


def raises(verdict, sign):
    """What of a sign's symbols was not raised; their points are held against the mirror's prediction."""
    missing = [f"rspamd {n}" for n, _ in sign["rspamd"] if n not in verdict.rspamd and n not in unknown_here()]
    return missing + [f"SpamAssassin {n}" for n, _ in sign["spamassassin"] if n not in verdict.spamassassin]


@needs_room
@needs(*TOOLS)
def test_the_set_up_of_setup_loses_no_points(case):
    """Records by `repute setup`, a message by `repute serve`: no symbol with points in rspamd or SpamAssassin."""
    court = Court(case)
    _, symbols = known(case)
    verdict = court.send(LETTER)
    lost = {**positive(verdict.rspamd), **positive(verdict.spamassassin)}
    assert not lost.keys() - ELSEWHERE, lost
    assert not disagreements(verdict, symbols), disagreements(verdict, symbols)
    assert sum(verdict.rspamd.values()) <= 0 and sum(verdict.spamassassin.values()) <= 0, verdict
    print(f"        rspamd {sum(verdict.rspamd.values()):.1f}, SpamAssassin {sum(verdict.spamassassin.values()):.1f}")


def positive(symbols):
    return {name: points for name, points in symbols.items() if points > 0.0}


def pointer_to(name):
    return [f"delete {POINTER} PTR", f"add {POINTER} 60 PTR {name}."]


def text(name, value):
    """One TXT record in place of what is there."""
    strings = " ".join(f'"{value[i:i + 250]}"' for i in range(0, len(value), 250))
    return [f"delete {name} TXT", f"add {name} 60 TXT {strings}"]


def spf(value):
    return text(PATH, f"v=spf1 {value}")


def listed(zone, code, what=None):
    return [f"add {what or internet.reversed_v4(room.PUBLIC)}.{zone} 60 A {code}"]


def other_keys(case, keys):
    """Records of keys that nobody signs with."""
    case.run(["openssl", "genrsa", "-out", case.folder / "other.pem", "2048"])
    rsa = case.run(["openssl", "rsa", "-in", case.folder / "other.pem", "-pubout"])
    rsa = "".join(line for line in rsa.splitlines() if line and not line.startswith(("-", "writing")))
    ed25519 = base64.b64encode(os.urandom(32)).decode()
    return [line for key in keys for line in text(key, f"v=DKIM1; k=rsa; p={rsa}" if key.startswith("r") else f"v=DKIM1; k=ed25519; p={ed25519}")]


def breaks(court):
    """What is broken; the check of ours that has to mind, the sign that is predicted, and what is changed in DNS."""
    keys = [r["name"].rstrip(".") for r in court.repute.json("records", DOMAIN) if "_domainkey" in r["name"]]
    no_keys = [f"delete {key} TXT" for key in keys]
    # SpamAssassin lets the name in EHLO speak for DMARC, too.
    nobody_vouches = spf("ip4:192.0.2.1 -all") + text(HOST, "v=spf1 -all") + no_keys
    elsewhere = pointer_to(f"out.{DOMAIN}") + [f"add out.{DOMAIN} 60 A {room.PUBLIC}", f"delete {HOST} A"]
    mx_stays = [f"delete {PATH} MX", f"add {PATH} 60 MX 10 out.{DOMAIN}."]
    zen, dbl, uribl, surbl = "zen.spamhaus.org", "dbl.spamhaus.org", "multi.uribl.com", "multi.surbl.org"
    return [
        ("no reverse name", "name.ptr.exists", "rdns.none", [f"delete {POINTER} PTR"]),
        ("a reverse name that leads nowhere", "name.fcrdns", "rdns.unconfirmed", pointer_to(f"lost.{DOMAIN}")),
        ("the classic mistake", "name.fcrdns", "rdns.unconfirmed", [f"delete {HOST} A", f"add {HOST} 60 A 34.54.65.23"]),
        ("EHLO leads elsewhere", "name.helo.resolves", "helo.mismatch", [*elsewhere, f"add {HOST} 60 A 34.54.65.23"]),
        ("EHLO leads nowhere", "name.helo.resolves", "helo.unknown", elsewhere + mx_stays),
        ("a reverse name of an end user", "name.ptr.generic", "generic HFILTER_HOSTNAME_4",
         pointer_to(f"125-42-17-10.dsl.{DOMAIN}") + [f"add 125-42-17-10.dsl.{DOMAIN} 60 A {room.PUBLIC}"]),
        ("nobody takes the bounces", "name.from.mx", "from.no-answer", [f"delete {PATH} MX"]),
        ("in SBL", "bl.ip", "listed Spamhaus ZEN SBL", listed(zen, "127.0.0.2")),
        ("in CSS", "bl.ip", "listed Spamhaus ZEN CSS", listed(zen, "127.0.0.3")),
        ("in XBL", "bl.ip", "listed Spamhaus ZEN XBL", listed(zen, "127.0.0.4")),
        ("in DROP", "bl.sbl.asn", "listed Spamhaus ZEN DROP", listed(zen, "127.0.0.9")),
        ("in PBL", "ip.static", "listed Spamhaus ZEN PBL (provider)", listed(zen, "127.0.0.10")),
        ("in PBL by Spamhaus", "ip.static", "listed Spamhaus ZEN PBL (Spamhaus)", listed(zen, "127.0.0.11")),
        ("on SpamCop", "bl.ip", "listed SpamCop SCBL",
         listed("bl.spamcop.net", "127.0.0.2") + [f'add {internet.reversed_v4(room.PUBLIC)}.bl.spamcop.net 60 TXT "Blocked - see spamcop"']),
        ("on PSBL", "bl.ip", "listed PSBL PSBL", listed("psbl.surriel.com", "127.0.0.2")),
        ("on Validity's list", "bl.ip", "listed Validity RPBL RPBL", listed("bl.score.senderscore.com", "127.0.0.3")),
        ("on blocklist.de", "bl.ip", "listed blocklist.de attack", listed("bl.blocklist.de", "127.0.0.9")),
        ("on Spam Eating Monkey", "bl.ip", "listed Spam Eating Monkey SEM-BLACK", listed("bl.spameatingmonkey.net", "127.0.0.2")),
        ("on virusfree.cz", "bl.ip", "listed virusfree.cz botnet", listed("bip.virusfree.cz", "127.0.0.2")),
        ("a domain in DBL", "bl.domain", "listed Spamhaus DBL low reputation", listed(dbl, "127.0.1.2", DOMAIN)),
        ("a domain in DBL as phishing", "bl.domain", "listed Spamhaus DBL phishing", listed(dbl, "127.0.1.4", DOMAIN)),
        ("a domain on URIBL", "bl.domain", "listed URIBL black", listed(uribl, "127.0.0.2", DOMAIN)),
        ("a domain on SURBL", "bl.domain", "listed SURBL ABUSE", listed(surbl, "127.0.0.64", DOMAIN)),
        ("a domain that is new", "bl.domain", "listed Spam Eating Monkey fresh15 fresh", listed("fresh15.spameatingmonkey.net", "127.0.0.2", DOMAIN)),
        ("no SPF record", "spf.exists", "spf.none", [f"delete {PATH} TXT"]),
        ("SPF names another address", "spf.pass.each", "spf.fail", spf("ip4:192.0.2.1 -all")),
        ("SPF names another address, softly", "spf.pass.each", "spf.softfail", spf("ip4:192.0.2.1 ~all")),
        ("SPF says nothing", "spf.pass.each", "spf.neutral", spf("ip4:192.0.2.1 ?all")),
        ("SPF cannot be evaluated", "spf.syntax", "spf.permerror", spf(f"include:none.{DOMAIN} -all")),
        ("SPF permits everybody", "spf.all", "spf.everybody", spf("+all")),
        ("no keys", "dkim.exists", "dkim.nokey", no_keys),
        ("other keys", "dkim.sign.verify", "dkim.fail", other_keys(court.case, keys)),
        ("no DMARC record", "dmarc.exists", "dmarc.none", [f"delete _dmarc.{DOMAIN} TXT"]),
        *((f"DMARC fails under p={p}", "dkim.sign.verify", f"dmarc.fail.{p}", [*nobody_vouches, *text(f"_dmarc.{DOMAIN}", f"v=DMARC1; p={p}")])
          for p in ("none", "quarantine", "reject")),
        ("nothing in DNS speaks for it", "dkim.exists", "authentic.failed", [f"delete {PATH} TXT", f"delete _dmarc.{DOMAIN} TXT", *no_keys]),
    ]


@needs_room
@needs(*TOOLS)
def test_each_rule_broken_raises_what_its_check_predicts(case):
    """One thing broken at a time: our check says so, and both filters raise the symbols that it predicts."""
    court = Court(case)
    signs, symbols = known(case)
    wrong = []
    cases = breaks(court)
    named = {name: sign for of in signs.values() for name, sign in of.items()}
    for what, check, sign, changes in cases:
        put_back = court.net.change(*changes)
        findings = court.repute.json("check", "--dns-only", "--only", check, ok=None)["findings"]
        verdict = court.send(LETTER)
        put_back()
        outcomes = {f["outcome"] for f in findings if f["id"] == check}
        complaints = disagreements(verdict, symbols) + [f"not raised: {m}" for m in raises(verdict, named[sign])]
        if not outcomes & {"fail", "warn"}:
            complaints.append(f"{check} does not mind: {findings}")
        wrong += [f"{what}: {c}" for c in complaints]
    assert not wrong, "\n".join(wrong)
    print(f"        {len(cases)} faults, each seen by our check and by both filters as it predicted")


def letter(*, leave_out=(), body="Dear customer,\r\n\r\nyour order has left our house today and will be with you on Friday.\r\n", **fields):
    """A message as Repute would never send it: fields by name with `_` for `-`; a list is several of them."""
    now = email.utils.formatdate(localtime=False, usegmt=False)
    header = {"Received": f"from shop.{DOMAIN} (shop.{DOMAIN} [34.54.65.23]) by {HOST} with ESMTPS id 1; {now}", "Date": now,
              "From": f"<news@{DOMAIN}>", "To": "<box@receiver.example>", "Subject": "Your order 4711", "Message-ID": f"<{os.urandom(6).hex()}@{HOST}>",
              "MIME-Version": "1.0", "Content-Type": "text/plain; charset=utf-8", "Content-Transfer-Encoding": "7bit"}
    header.update({name.replace("_", "-"): value for name, value in fields.items()})
    text = ""
    for name, value in header.items():
        if name not in leave_out:
            text += "".join(f"{name}: {v}\r\n" for v in (value if isinstance(value, list) else [value]))
    return (text + "\r\n" + body).encode().removesuffix(b"\r\n")


def when(hours):
    return email.utils.formatdate(time.time() + hours * 3600)


def word(text, how):
    encoded = base64.b64encode(text.encode()).decode() if how == "B" else text.replace(" ", "_")
    return f"=?utf-8?{how}?{encoded}?="


def careless():
    """What is wrong with a message, its check and sign, and the message."""
    news = f"news@{DOMAIN}"
    return [
        ("nothing", None, None, letter()),
        ("no From", "msg.from", "from.missing", letter(leave_out=["From"])),
        ("two authors", "msg.from", "from.several", letter(From=f"<{news}>, <other@{DOMAIN}>")),
        ("From twice", "msg.unique", "from.twice", letter(From=[f"<{news}>", f"<{news}>"])),
        ("another address as the name", "msg.from", "from.name.spoof", letter(From=f'"boss@receiver.example" <{news}>')),
        ("the address as the name", "msg.from", "from.name.address", letter(From=f'"{news}" <{news}>')),
        ("From in base64", "msg.encoding", "from.base64", letter(From=f"{word('The shop', 'B')} <{news}>")),
        ("answers to a freemailer", "msg.from", "replyto.free", letter(Reply_To="<someone@gmail.com>")),
        ("Subject twice", "msg.unique", "fields.twice", letter(Subject=["one", "two"])),
        ("a Subject that is not encoded", "msg.encoding", "subject.8bit", letter(Subject="Grüße aus dem Haus")),
        ("a Subject in base64", "msg.encoding", "subject.base64", letter(Subject=word("Your order 4711", "B"))),
        ("a Subject in quoted-printable", "msg.encoding", "subject.qp", letter(Subject=word("Your order 4711", "Q"))),
        ("no Subject", "msg.subject.to", "subject.missing", letter(leave_out=["Subject"])),
        ("an empty Subject", "msg.subject.to", "subject.empty", letter(Subject="")),
        ("no To", "msg.subject.to", "to.missing", letter(leave_out=["To"])),
        ("no Message-ID", "msg.id", "mid.missing", letter(leave_out=["Message-ID"])),
        ("a Message-ID that is none", "msg.id", "mid.invalid", letter(Message_ID="<20261125222139.000171>")),
        ("a Message-ID with an address", "msg.id", "mid.address", letter(Message_ID="<20261125222139.000171@125.42.17.10>")),
        ("a Message-ID with an address in brackets", "msg.id", "mid.literal", letter(Message_ID="<20261125222139.000171@[125.42.17.10]>")),
        ("a Message-ID with a short name", "msg.id", "mid.short", letter(Message_ID="<20261125222139.000171@shop>")),
        ("no Date", "msg.date", "date.missing", letter(leave_out=["Date"])),
        ("a Date that is none", "msg.date", "date.invalid", letter(Date="yesterday")),
        ("a Date hours ahead", "msg.date", "date.future", letter(Date=when(4.5))),
        ("a Date of the day before", "msg.date", "date.old", letter(Date=when(-30))),
        ("a Date of last week", "msg.date", "date.past", letter(Date=when(-150))),
        ("8 bits as 7", "msg.lines", "cte.bad7bit", letter(body="Grüße\r\n")),
        ("no MIME-Version", "msg.mime", "mime.version", letter(leave_out=["MIME-Version"])),
        ("HTML alone", "msg.mime", "html.only", letter(Content_Type="text/html; charset=utf-8", body="<html><body><p>Your order has left our house.</p></body></html>\r\n")),
        ("the submitter's address", "msg.private", "xoip", letter(X_Originating_IP="[34.54.65.23]")),
    ]


@needs_room
@needs(*TOOLS)
def test_careless_messages_cost_what_message_checks_predict(case):
    """Messages that Repute refuses or mends, sent past it: both filters raise what `repute mirror` predicts."""
    court = Court(case)
    signs, symbols = known(case)
    wrong = []
    cases = careless()
    for what, check, sign, octets in cases:
        for server, to in ((room.RECEIVER, "box@receiver.example"), (room.CLIENT, "box@mirror.example")):
            with Raw(server, 25, ehlo=HOST, source=room.PUBLIC) as client:
                client.starttls(ehlo=HOST)
                code, lines = client.message(f"news@{DOMAIN}", [to], octets)
                assert code == 250, (what, lines)
        verdict = court.judged()
        complaints = disagreements(verdict, symbols)
        if check:
            complaints += [f"not raised: {m}" for m in raises(verdict, signs[check][sign])]
        wrong += [f"{what}: {c}" for c in complaints]
    assert not wrong, "\n".join(wrong)
    print(f"        {len(cases)} messages, predicted symbol by symbol")


@needs("spamassassin")
def test_points_are_those_of_the_installed_filter(case):
    """The points of SpamAssassin that checks predict are those of its rules with network tests and Bayes (its fourth set)."""
    scores = {}
    for file in sorted(pathlib.Path("/usr/share/spamassassin").glob("*.cf")):
        for line in file.read_text(errors="replace").splitlines():
            words = line.split("#")[0].split()
            if words[:1] == ["score"] and len(words) in (3, 6):
                scores[words[1]] = float(words[-1].strip("()"))
    signs, _ = known(case)
    # A rule without a score has 1 point, one that is tried out (T_) a hundredth.
    default = lambda name: 0.01 if name.startswith("T_") else 1.0
    predicted = {(n, p) for of in signs.values() for s in of.values() for n, p in s["spamassassin"]}
    wrong = [f"{n}: {p}, not {scores.get(n, default(n))}" for n, p in sorted(predicted) if abs(scores.get(n, default(n)) - p) > 0.0051]
    assert predicted and not wrong, "\n".join(wrong)
