"""What comes back on port 25: a bounce that a program sends by smtplib, forged ones, and a crash in between."""
import email.message
import email.mime.message
import email.mime.multipart
import email.mime.text
import json
import smtplib

from kit.case import wait_for
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


def send_back(repute, to, text):
    """Brings a notice as a stranger does; the refusal, if it is refused."""
    with smtplib.SMTP("127.0.0.1", repute.ports["return"], timeout=20) as client:
        try:
            client.sendmail("", [to], text)
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[to]
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
    local = sent.sender.split("@")[0]
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
