"""What comes back on port 25, brought by smtplib: bounces, forged ones, complaints, reports, bombs, letters of people; and a
crash in between."""
import base64
import email.message
import email.mime.application
import email.mime.message
import email.mime.multipart
import email.mime.text
import gzip
import io
import json
import smtplib
import subprocess
import zipfile

from kit.case import Skip, wait_for
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Raw, content

FROM = "app@sender.example"
BOUNCES = "bounces.sender.example"


def start(case, sink):
    """A server whose sender.example has a return path, listened for at a free port."""
    repute = Repute(case, sink=sink, local=True, listeners=("submission", "return"), start=False)
    text = repute.file.read_text()
    repute.file.write_text(text.replace('name = "sender.example"\n', f'name = "sender.example"\nreturn_path = "{BOUNCES}"\n', 1))
    repute.start()
    return repute


def bounce(recipient, about):
    """A delivery status notification as Python's own library writes it."""
    report = email.mime.multipart.MIMEMultipart("report", **{"report-type": "delivery-status"})
    report["From"], report["To"], report["Subject"] = "MAILER-DAEMON@receiver.example", "x@sender.example", "Undelivered Mail Returned to Sender"
    report.attach(email.mime.text.MIMEText("I could not deliver your message."))
    server, one = email.message.Message(), email.message.Message()
    server["Reporting-MTA"] = "dns; mx.receiver.example"
    one["Final-Recipient"] = f"rfc822; {recipient}"
    one["Action"], one["Status"] = "failed", "5.1.1"
    one["Diagnostic-Code"] = "smtp; 550 5.1.1 no such user here"
    status = email.mime.message.MIMENonMultipart("message", "delivery-status")
    status.set_payload([server, one])
    report.attach(status)
    original = email.mime.text.MIMEText(about.header().decode(), "rfc822-headers")
    report.attach(original)
    return report.as_string()


def send_back(repute, to, text, sender=""):
    """Brings a notice as a stranger does; the refusal, if it is refused."""
    with smtplib.SMTP("127.0.0.1", repute.ports["return"], timeout=60) as client:
        try:
            client.sendmail(sender, [to], text)
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[to]
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code, refused.smtp_error
    return None


def suppressed(repute):
    answer = json.loads(repute.command("--json", "suppression", "list", ok=(0, 1)))
    return [(e["address"], e["why"]) for e in answer["entries"]]


def submit(repute, *to):
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message(FROM, list(to), content())[0] == 250


def test_a_bounce_comes_back(case):
    """The address is suppressed, its sender is told once, and whoever writes to it next is refused."""
    sink = Sink(case)
    repute = start(case, sink)
    submit(repute, "gone@receiver.example", "here@receiver.example")
    sent = sink.wait()[0]
    assert sent.sender.endswith("@" + BOUNCES) and len(sent.recipients) == 2, sent
    for _ in range(5):
        assert send_back(repute, sent.sender, bounce("gone@receiver.example", sent)) is None
    wait_for("the address is suppressed", lambda: suppressed(repute) == [("gone@receiver.example", "unknown")])
    notice = sink.wait(2)[1]
    assert (notice.sender, notice.recipients) == ("", [f"<{FROM}>"]), notice
    assert b"no such user here" in notice.content
    with Raw("127.0.0.1", repute.port) as client:
        client.expect(f"MAIL FROM:<{FROM}>", 250)
        code, lines = client.command("RCPT TO:<Gone@receiver.example>")
        assert code == 550 and "repute suppression release" in " ".join(lines), lines
        client.expect("RCPT TO:<here@receiver.example>", 250)
    assert "bounced gone@receiver.example" in repute.command("why", "gone@receiver.example")
    repute.command("suppression", "release", "gone@receiver.example")
    assert suppressed(repute) == []
    # Said again, after the release, it is still no news.
    assert send_back(repute, sent.sender, bounce("gone@receiver.example", sent)) is None
    submit(repute, "gone@receiver.example")
    assert len(sink.wait(3)) == 3 and suppressed(repute) == []


def test_nothing_else_is_taken(case):
    """Made-up addresses are refused with a sentence; a bounce about somebody else does nothing."""
    sink = Sink(case)
    repute = start(case, sink)
    submit(repute, "ann@receiver.example")
    sent = sink.wait()[0]
    local = sent.sender.split("@")[0].split("-")[0]
    forged = local[:-1] + ("0" if local[-1] != "0" else "2")
    for to in (f"{forged}@{BOUNCES}", f"app@{BOUNCES}", "app@sender.example", "ann@receiver.example"):
        refused = send_back(repute, to, bounce("ann@receiver.example", sent))
        assert refused and refused[0] == 550, (to, refused)
    assert send_back(repute, sent.sender, bounce("victim@elsewhere.example", sent)) is None
    # What comes after it was read after it.
    assert send_back(repute, sent.sender, bounce("ann@receiver.example", sent)) is None
    wait_for("the true one is read", lambda: suppressed(repute) == [("ann@receiver.example", "unknown")])


def test_a_crash_loses_no_bounce(case):
    """kill -9 as soon as it was taken: it is read after the start, and acted on once."""
    sink = Sink(case)
    repute = start(case, sink)
    submit(repute, "gone@receiver.example")
    sent = sink.wait()[0]
    # The history is written behind the mail, and knows whom it went to.
    wait_for("the history has it", lambda: "delivered gone@receiver.example" in repute.command("why", "gone@receiver.example"))
    assert send_back(repute, sent.sender, bounce("gone@receiver.example", sent)) is None
    repute.kill()
    repute.start()
    wait_for("the address is suppressed", lambda: suppressed(repute) == [("gone@receiver.example", "unknown")])
    sink.wait(2)
    assert send_back(repute, sent.sender, bounce("gone@receiver.example", sent)) is None
    submit(repute, "here@receiver.example")
    told = [m for m in sink.wait(3) if not m.sender]
    assert len(told) == 1, told


def complaint(about):
    """A complaint (ARF) that hides who complained."""
    report = email.mime.multipart.MIMEMultipart("report", **{"report-type": "feedback-report"})
    report["From"], report["Subject"] = "fbl@receiver.example", "abuse report"
    report.attach(email.mime.text.MIMEText("This is an abuse report."))
    fields = email.mime.message.MIMENonMultipart("message", "feedback-report")
    fields.set_payload("Feedback-Type: abuse\r\nUser-Agent: test/1.0\r\nVersion: 1\r\n")
    report.attach(fields)
    report.attach(email.mime.text.MIMEText(about.header().decode(), "rfc822-headers"))
    return report.as_string()


def test_a_complaint_comes_back(case):
    """To the address that the message names for complaints (fbl+TOKEN), and to the return path: it counts once."""
    sink = Sink(case)
    repute = start(case, sink)
    submit(repute, "ann@receiver.example")
    sent = sink.wait()[0]
    token = sent.sender.split("@")[0].split("-")[0]
    for to in (f"fbl+{token}@{BOUNCES}", sent.sender, f"fbl@{BOUNCES}"):
        assert send_back(repute, to, complaint(sent), "fbl@receiver.example") is None
    wait_for("the address is suppressed", lambda: suppressed(repute) == [("ann@receiver.example", "complaint")])
    assert send_back(repute, f"leave+{token}@{BOUNCES}", complaint(sent), "fbl@receiver.example")[0] == 550


def dmarc(domain, number, *, fill=""):
    return (f"<?xml version='1.0'?>{fill}<feedback><report_metadata><org_name>receiver.example</org_name><report_id>{number}</report_id>"
            "<date_range><begin>1795400000</begin><end>1795486400</end></date_range></report_metadata>"
            f"<policy_published><domain>{domain}</domain><p>reject</p></policy_published>"
            "<record><row><source_ip>198.51.100.9</source_ip><count>7</count><policy_evaluated><disposition>reject</disposition>"
            "<dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>"
            f"<identifiers><header_from>{domain}</header_from></identifiers></record></feedback>").encode()


def report(octets, kind, name):
    """A mail that carries a report."""
    mail = email.mime.multipart.MIMEMultipart()
    mail["From"], mail["To"], mail["Subject"] = "dmarc@receiver.example", f"dmarc@{BOUNCES}", "Report Domain: sender.example Submitter: receiver.example"
    attached = email.mime.application.MIMEApplication(octets, kind)
    attached.add_header("Content-Disposition", "attachment", filename=name)
    mail.attach(attached)
    return mail.as_string()


def zipped(octets):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", octets)
    return file.getvalue()


def memory(repute):
    """The most that the server ever held, in MiB."""
    status = open(f"/proc/{repute.process.pid}/status").read()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def test_reports_and_bombs(case):
    """Reports in gzip and ZIP are kept and answer who sends as us; bombs of every kind take neither memory nor time, and mail goes on."""
    sink = Sink(case)
    repute = start(case, sink)
    name = "receiver.example!sender.example!1795400000!1795486400.xml"
    good = [(gzip.compress(dmarc("sender.example", 1)), "gzip", name + ".gz"), (zipped(dmarc("sender.example", 2)), "zip", name + ".zip")]
    nest = b"<feedback>" + b"<a>" * 500_000
    entities = dmarc("sender.example", 5, fill="<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi")) + "]>")
    bombs = [
        (gzip.compress(b"<feedback>" + b" " * (1 << 26)), "gzip", name + ".gz"),
        (zipped(b"<feedback>" + b"\0" * (1 << 26)), "zip", name + ".zip"),
        (gzip.compress(gzip.compress(b"x" * (1 << 26))), "gzip", name + ".gz"),
        (gzip.compress(nest), "gzip", name + ".gz"),
        (entities, "xml", name),
        (gzip.compress(dmarc("sender.example", 6))[:60], "gzip", name + ".gz"),
        (gzip.compress(dmarc("victim.example", 7)), "gzip", name + ".gz"),
    ]
    before = memory(repute)
    for octets, kind, file in bombs + good:
        assert send_back(repute, f"dmarc@{BOUNCES}", report(octets, kind, file), "dmarc@receiver.example") is None, (kind, file)
    listed = lambda: sorted(r["name"] for r in repute.json("reports", "list", ok=(0, 1))["reports"])
    wait_for("both reports are kept, and nothing else", lambda: listed() == ["1", "2"])
    sources = repute.json("reports", "sources")["sources"]
    assert [(s["source"], s["count"], s["refused"]) for s in sources] == [("198.51.100.9", 14, 14)], sources
    assert memory(repute) - before < 100, (before, memory(repute))
    submit(repute, "ann@receiver.example")
    assert sink.wait()[0].recipients == ["<ann@receiver.example>"]


VERIFY = """
import base64, json, sys, dkim
w = json.load(sys.stdin)
content, records = base64.b64decode(w["content"]), w["records"]
def txt(name, timeout=5):
    return records[name.decode().rstrip(".").lower()].encode()
signatures = (b"\\n" + content).split(b"\\r\\n\\r\\n")[0].lower().count(b"\\ndkim-signature:")
print(json.dumps([dkim.DKIM(content).verify(idx=n, dnsfunc=txt) for n in range(signatures)]))
"""


def test_a_letter_that_is_handed_on_passes_at_the_next_hop(case):
    """A letter of a domain with DMARC p=reject: handed on it is ours, and dkimpy verifies each signature, aligned with From; so is MAIL FROM."""
    if subprocess.run(["/usr/bin/python3", "-c", "import dkim, nacl"], capture_output=True).returncode:
        raise Skip("python3-dkim and python3-nacl not installed")
    sink = Sink(case)
    repute = start(case, sink)
    repute.stop()
    repute.file.write_text(repute.file.read_text().replace('name = "local"\n', 'name = "local"\nreplies = "support@receiver.example"\n', 1))
    repute.start()
    submit(repute, "ann@bank.example")
    sent = sink.wait()[0]
    wait_for("the history has it", lambda: "delivered ann@bank.example" in repute.command("why", "ann@bank.example"))
    letter = ("DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=bank.example; s=x; h=from:subject; bh=AAAA; b=AAAA\n"
              "From: Ann =?utf-8?q?L=C3=A9e?= <ann@bank.example>\nTo: x\nSubject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <r2@bank.example>\n"
              "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nSchöne Grüße.  \n.\n\tx\n\n\n")
    assert send_back(repute, sent.sender, letter.encode().replace(b"\n", b"\r\n"), "ann@bank.example") is None
    handed = sink.wait(2)[1]
    assert handed.sender.endswith("@" + BOUNCES) and "<postmaster@sender.example>" in handed.field("From")[0], handed.header()
    ours = [s for s in handed.field("DKIM-Signature") if "d=sender.example;" in s]
    assert len(ours) == 2, handed.header()
    records = {r["name"].rstrip(".").lower(): "".join(r["value"].split('"')[1::2]) or r["value"] for r in repute.records if "DKIM1" in r["value"]}
    words = {"content": base64.b64encode(handed.content).decode(), "records": records}
    verified = json.loads(case.run(["/usr/bin/python3", "-c", VERIFY], stdin=json.dumps(words)))
    # What the bank signed is not kept: it could not verify any more.
    assert verified == [True, True], (verified, handed.header())


def test_a_letter_of_a_person(case):
    """It is refused with a sentence where the account names no mailbox for replies, else handed on as our own message, once."""
    sink = Sink(case)
    letter = "From: Ann Lee <ann@receiver.example>\nTo: x\nSubject: Re: hello\nMessage-ID: <r1@receiver.example>\n\nA question.\n"
    repute = start(case, sink)
    submit(repute, "ann@receiver.example")
    sent = sink.wait()[0]
    code, text = send_back(repute, sent.sender, letter, "ann@receiver.example")
    assert code == 550 and b"nobody reads letters at this address" in text, (code, text)
    repute.stop()
    repute.file.write_text(repute.file.read_text().replace('name = "local"\n', 'name = "local"\nreplies = "support@receiver.example"\n', 1))
    repute.start()
    wait_for("the history has it", lambda: "delivered ann@receiver.example" in repute.command("why", "ann@receiver.example"))
    for _ in range(3):
        assert send_back(repute, sent.sender, letter, "ann@receiver.example") is None
    absent = letter.replace("Re: hello", "Out of office")
    assert send_back(repute, sent.sender, absent, "ann@receiver.example") is None
    handed = sink.wait(2)[1]
    assert (handed.sender, handed.recipients) == (f"postmaster@{BOUNCES}", ["<support@receiver.example>"]), handed
    assert handed.field("From") == ['"Ann Lee via sender.example" <postmaster@sender.example>'], handed.header()
    assert handed.field("Reply-To") == ["Ann Lee <ann@receiver.example>"] and handed.body() == b"A question.\r\n"
    assert all("d=sender.example;" in signature for signature in handed.field("DKIM-Signature")) and handed.field("DKIM-Signature")
    submit(repute, "ben@receiver.example")
    assert len(sink.wait(3)) == 3
