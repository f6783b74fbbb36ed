"""Libraries that applications send with: the official client of SES, requests, PHPMailer, nodemailer."""
import email
import email.policy
import json
import subprocess
import threading

from kit.case import Skip, free_port, needs
from kit.repute import PASSWORD, Repute
from kit.sink import Sink

FROM, TO = "app@sender.example", "bob@receiver.example"
#: Debian's, which has Debian's libraries.
PYTHON = "/usr/bin/python3"


def world(case):
    """A sink, a server with HTTP on loopback, and a token of its account `app`."""
    port, sink = free_port(), Sink(case)
    repute = Repute(case, sink=sink, more=f'[web]\nlisten = "127.0.0.1:{port}"\n', start=False)
    token = repute.json("token", "add", "web", "--account", "app", "--allow", "send,read,suppress", "--write")["token"]
    repute.start()
    return sink, repute, f"http://127.0.0.1:{port}", token


def library(package, *probe):
    """Skips loudly where a library is missing, and says which package has it."""
    if subprocess.run([str(w) for w in probe], capture_output=True).returncode:
        raise Skip(f"{package} not installed")


def python(case, code, **words):
    return case.run([PYTHON, "-c", code], stdin=json.dumps(words))


def read(message):
    return email.message_from_bytes(message.content, policy=email.policy.default)


SES = '''
import json, sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError
w = json.load(sys.stdin)
def client(name):
    return boto3.client(name, endpoint_url=w["url"], region_name="eu-central-1", aws_access_key_id=w["id"],
                        aws_secret_access_key=w["secret"], config=Config(retries={"max_attempts": 0}))
v2, v1 = client("sesv2"), client("ses")
text = lambda t: {"Data": t, "Charset": "UTF-8"}
simple = {"Subject": text("Grüße v2"), "Body": {"Text": text("Schöne Grüße"), "Html": text("<p>Schöne Grüße</p>")}}
ids = [v2.send_email(FromEmailAddress=w["from"], Destination={"ToAddresses": [w["to"]], "BccAddresses": ["secret@receiver.example"]},
                     ReplyToAddresses=["answers@sender.example"], Content={"Simple": simple}, EmailTags=[{"Name": "order", "Value": "7"}])["MessageId"]]
raw = f"From: {w['from']}\\r\\nTo: {w['to']}\\r\\nSubject: raw v2\\r\\n\\r\\nHello\\r\\n".encode()
ids.append(v2.send_email(Content={"Raw": {"Data": raw}})["MessageId"])
ids.append(v1.send_email(Source=w["from"], Destination={"ToAddresses": [w["to"]], "CcAddresses": ["eve@receiver.example"]},
                         Message={"Subject": text("Grüße v1"), "Body": {"Text": text("Hallo")}})["MessageId"])
ids.append(v1.send_raw_email(RawMessage={"Data": raw.replace(b"v2", b"v1")}, Destinations=[w["to"]])["MessageId"])
quota = v1.get_send_quota()
assert quota["MaxSendRate"] >= 1 and quota["SentLast24Hours"] == 6, quota
assert v2.get_account()["SendQuota"]["Max24HourSend"] == -1 and v2.get_account()["SendingEnabled"]
assert v2.get_account()["SendQuota"]["SentLast24Hours"] == 6, v2.get_account()
# Templates in the request are younger than Debian's client: it signs them, and the service's answer is read by hand.
def signed(call, body):
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    import urllib.error, urllib.request
    asked = AWSRequest("POST", w["url"] + "/v2/email/" + call, data=json.dumps(body), headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(w["id"], w["secret"]), "ses", "eu-central-1").add_auth(asked)
    try:
        return json.load(urllib.request.urlopen(urllib.request.Request(asked.url, asked.data.encode(), dict(asked.headers))))
    except urllib.error.HTTPError as error:
        raise ClientError({"Error": {"Code": error.headers["x-amzn-errortype"], "Message": json.load(error)["message"]}}, call)
content = {"Subject": "Hello {{name}}", "Text": "{{#each items}}{{this}};{{/each}}"}
template = lambda data: {"Template": {"TemplateContent": content, "TemplateData": json.dumps(data)}}
one = lambda data: signed("outbound-emails", {"FromEmailAddress": w["from"], "Destination": {"ToAddresses": [w["to"]]}, "Content": template(data)})
ids.append(one({"name": "one", "items": [1, 2]})["MessageId"])
entry = lambda data: {"Destination": {"ToAddresses": [w["to"]]}, "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": json.dumps(data)}}}
many = signed("outbound-bulk-emails", {"FromEmailAddress": w["from"], "DefaultContent": template({"items": []}),
                                       "BulkEmailEntries": [entry({"name": "two"}), entry({"name": "three"}), entry({})]})["BulkEmailEntryResults"]
faults = {}
def fault(name, call):
    try:
        call()
        faults[name] = "taken"
    except ClientError as error:
        faults[name] = error.response["Error"]["Code"]
fault("template", lambda: v2.send_email(FromEmailAddress=w["from"], Destination={"ToAddresses": [w["to"]]},
                                        Content={"Template": {"TemplateName": "x", "TemplateData": "{}"}}))
fault("forged v2", lambda: v2.send_email(FromEmailAddress="ceo@elsewhere.example", Destination={"ToAddresses": [w["to"]]}, Content={"Simple": simple}))
fault("forged v1", lambda: v1.send_email(Source="ceo@elsewhere.example", Destination={"ToAddresses": [w["to"]]},
                                         Message={"Subject": text("x"), "Body": {"Text": text("x")}}))
fault("template v1", lambda: v1.send_templated_email(Source=w["from"], Destination={"ToAddresses": [w["to"]]}, Template="x", TemplateData="{}"))
v2.put_suppressed_destination(EmailAddress="left+alone@receiver.example", Reason="COMPLAINT")
v2.put_suppressed_destination(EmailAddress="gone@receiver.example", Reason="BOUNCE")
found = v2.get_suppressed_destination(EmailAddress="left+alone@receiver.example")["SuppressedDestination"]
assert found["Reason"] == "COMPLAINT" and found["LastUpdateTime"].year >= 2026, found
listed = lambda **more: [one["EmailAddress"] for one in v2.list_suppressed_destinations(**more)["SuppressedDestinationSummaries"]]
assert listed() == ["gone@receiver.example", "left+alone@receiver.example"] and listed(Reasons=["BOUNCE"]) == ["gone@receiver.example"], listed()
assert listed(StartDate=found["LastUpdateTime"].replace(year=2020)) and not listed(EndDate=found["LastUpdateTime"].replace(year=2020)), listed()
page = v2.list_suppressed_destinations(PageSize=1)
assert listed(PageSize=1, NextToken=page["NextToken"]) == ["left+alone@receiver.example"], page
fault("suppressed", lambda: v2.send_email(FromEmailAddress=w["from"], Destination={"ToAddresses": ["gone@receiver.example"]}, Content={"Simple": simple}))
v2.delete_suppressed_destination(EmailAddress="left+alone@receiver.example")
fault("not suppressed", lambda: v2.get_suppressed_destination(EmailAddress="left+alone@receiver.example"))
fault("other v1", lambda: v1.list_identities())
fault("other v2", lambda: v2.list_email_identities())
fault("attribute", lambda: one({}))
w["secret"] = "wrong"
fault("secret v2", lambda: client("sesv2").send_email(FromEmailAddress=w["from"], Destination={"ToAddresses": [w["to"]]}, Content={"Simple": simple}))
fault("secret v1", lambda: client("ses").send_raw_email(RawMessage={"Data": raw}))
print(json.dumps({"ids": ids, "many": many, "faults": faults}))
'''


def test_amazons_own_client(case):
    """boto3 with nothing changed but URL and keys: sesv2 and ses; what is refused is refused in its words."""
    library("python3-boto3", PYTHON, "-c", "import boto3")
    sink, repute, url, _ = world(case)
    keys = dict(line.split("=", 1) for line in repute.command("token", "ses", "web").splitlines() if "=" in line)
    said = json.loads(python(case, SES, url=url, id=keys["AWS_ACCESS_KEY_ID"], secret=keys["AWS_SECRET_ACCESS_KEY"], **{"from": FROM, "to": TO}).splitlines()[-1])
    messages = sink.wait(7)
    assert len(set(said["ids"])) == 5, said
    subjects = {read(m)["Subject"]: m for m in messages}
    assert set(subjects) == {"Grüße v2", "raw v2", "Grüße v1", "raw v1", "Hello one", "Hello two", "Hello three"}, subjects
    assert subjects["Hello one"].body().strip() == b"1;2;", subjects["Hello one"]
    assert [one["Status"] for one in said["many"]] == ["SUCCESS", "SUCCESS", "INVALID_PARAMETER"] and "'name'" in said["many"][2]["Error"], said
    first = read(subjects["Grüße v2"])
    assert first["Reply-To"] == "answers@sender.example" and first["Bcc"] is None, first.as_string()[:500]
    assert first.get_body(("html",)).get_content().strip() == "<p>Schöne Grüße</p>"
    assert len(subjects["Grüße v2"].recipients) == 2 and len(subjects["Grüße v1"].recipients) == 2
    faults = said["faults"]
    assert "taken" not in faults.values(), faults
    assert faults["secret v2"] in ("SignatureDoesNotMatch", "InvalidSignatureException"), faults
    assert faults["secret v1"] in ("SignatureDoesNotMatch", "InvalidSignatureException"), faults
    assert faults["forged v1"] == "MessageRejected" and faults["forged v2"] == "MessageRejected", faults
    assert faults["template"] == "NotFoundException" and faults["template v1"] == "TemplateDoesNotExist", faults
    assert faults["attribute"] == "BadRequestException", faults
    assert faults["suppressed"] == "MessageRejected" and faults["not suppressed"] == "NotFoundException", faults
    assert faults["other v1"] == "InvalidAction" and faults["other v2"] == "UnknownOperationException", faults


REQUESTS = '''
import json, sys, requests
w = json.load(sys.stdin)
s = requests.Session()
s.headers["Authorization"] = "Bearer " + w["token"]
message = {"from": w["from"], "to": w["to"], "subject": "Grüße", "text": "Schöne Grüße",
           "attachments": [{"name": "grüße.txt", "content": "SGFsbG8=", "type": "text/plain"}]}
first = s.post(w["url"] + "/v1/messages", json=message, headers={"Idempotency-Key": "k1"})
again = s.post(w["url"] + "/v1/messages", json=message, headers={"Idempotency-Key": "k1"})
wrong = s.post(w["url"] + "/v1/messages", json={**message, "to": "bad"})
shown = s.get(w["url"] + "/v1/messages/" + first.json()["id"])
batch = s.post(w["url"] + "/v1/messages/batch", json={"messages": [message, {**message, "to": "bad"}]})
print(json.dumps({"status": [r.status_code for r in (first, again, wrong, shown, batch)], "same": first.json() == again.json(),
                  "replayed": again.headers.get("Idempotent-Replayed"), "limit": first.headers.get("RateLimit"),
                  "problem": wrong.json(), "results": [r["status"] for r in batch.json()["results"]]}))
'''


def test_requests(case):
    """Python's requests: a message with an attachment, the same again under its key, a fault, a batch."""
    library("python3-requests", PYTHON, "-c", "import requests")
    sink, _, url, token = world(case)
    said = json.loads(python(case, REQUESTS, url=url, token=token, **{"from": FROM, "to": TO}))
    assert said["status"] == [202, 202, 422, 200, 200], said
    assert said["same"] and said["replayed"] == "true" and said["limit"], said
    assert said["problem"]["errors"][0]["pointer"] == "/to" and said["results"] == [202, 422], said
    for message in sink.wait(2):
        attachment = next(read(message).iter_attachments())
        assert attachment.get_filename() == "grüße.txt" and "Hallo" in str(attachment.get_content())


PHPMAILER = '''<?php
require "/usr/share/php/libphp-phpmailer/autoload.php";
$w = json_decode(stream_get_contents(STDIN), true);
foreach (["tls" => $w["port"], "ssl" => $w["tls_port"]] as $secure => $port) {
    $mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
    $mail->isSMTP();
    [$mail->Host, $mail->Port, $mail->SMTPSecure, $mail->SMTPAuth] = ["127.0.0.1", $port, $secure, true];
    [$mail->Username, $mail->Password, $mail->CharSet] = ["app", $w["password"], "UTF-8"];
    $mail->SMTPOptions = ["ssl" => ["verify_peer" => false, "verify_peer_name" => false, "allow_self_signed" => true]];
    $mail->SMTPKeepAlive = true;
    $mail->setFrom($w["from"], "Wörk");
    for ($n = 0; $n < 3; $n++) {
        $mail->clearAllRecipients();
        $mail->addAddress($w["to"], "Bøb");
        $mail->addBCC("secret@receiver.example");
        $mail->Subject = "Grüße $n";
        $mail->msgHTML("<h1>Grüße</h1><p>Zeile</p>");
        $mail->clearAttachments();
        $mail->addStringAttachment("Hallo", "grüße.txt");
        $mail->send();
    }
    $mail->smtpClose();
}
'''


@needs("php")
def test_phpmailer(case):
    """PHPMailer: STARTTLS and TLS, several messages on one connection, HTML with its text, an attachment, Bcc."""
    library("libphp-phpmailer", "test", "-f", "/usr/share/php/libphp-phpmailer/autoload.php")
    sink, repute, _, _ = world(case)
    file = case.folder / "send.php"
    file.write_text(PHPMAILER)
    words = {"port": repute.port, "tls_port": repute.ports["submissions"], "password": PASSWORD, "from": FROM, "to": TO}
    case.run(["php", file], stdin=json.dumps(words))
    for message in sink.wait(6):
        whole = read(message)
        assert len(message.field("DKIM-Signature")) == 2 and whole["Bcc"] is None and len(message.recipients) == 2, message
        assert whole["Subject"].startswith("Grüße ") and "Wörk" in whole["From"], whole["From"]
        assert next(whole.iter_attachments()).get_filename() == "grüße.txt"


NODEMAILER = '''
const nodemailer = require("nodemailer");
const w = JSON.parse(require("fs").readFileSync(0));
(async () => {
  for (const [port, secure] of [[w.port, false], [w.tls_port, true]]) {
    const transport = nodemailer.createTransport({ host: "127.0.0.1", port, secure, requireTLS: true, pool: true, maxConnections: 3,
      maxMessages: 5, auth: { user: "app", pass: w.password }, tls: { rejectUnauthorized: false } });
    await transport.verify();
    await Promise.all([...Array(20).keys()].map(n => transport.sendMail({ from: `Wörk <${w.from}>`, to: w.to, bcc: "secret@receiver.example",
      subject: `Grüße ${n}`, text: "Schöne Grüße", html: "<p>Schöne Grüße</p>",
      list: { unsubscribe: { url: "https://news.sender.example/leave", comment: "Leave" } },
      attachments: [{ filename: "grüße.txt", content: "Hallo" }] })));
    transport.close();
    const wrong = nodemailer.createTransport({ host: "127.0.0.1", port, secure, requireTLS: true, auth: { user: "app", pass: "wrong" },
      tls: { rejectUnauthorized: false } });
    const code = await wrong.sendMail({ from: w.from, to: w.to, text: "x" }).then(() => "taken", e => e.code);
    if (code !== "EAUTH") throw new Error(code);
  }
})().catch(e => { console.error(e); process.exit(1); });
'''


def nodemailer(case, sink, repute, **environment):
    file = case.folder / "send.js"
    file.write_text(NODEMAILER)
    words = {"port": repute.port, "tls_port": repute.ports["submissions"], "password": PASSWORD, "from": FROM, "to": TO}
    case.run(["node", file], stdin=json.dumps(words), env={"PATH": "/usr/bin:/bin", **environment})
    messages = sink.wait(40)
    assert len(messages) == 40
    for message in messages:
        whole = read(message)
        assert len(message.field("DKIM-Signature")) == 2 and whole["Bcc"] is None and len(message.recipients) == 2, message
        assert message.field("List-Unsubscribe") == ["<https://news.sender.example/leave> (Leave)"], message.field("List-Unsubscribe")


@needs("node")
def test_nodemailer(case):
    """nodemailer: a pool of connections over STARTTLS and TLS, a wrong password told as EAUTH."""
    library("node-nodemailer", "test", "-d", "/usr/share/nodejs/nodemailer")
    sink, repute, _, _ = world(case)
    nodemailer(case, sink, repute, NODE_PATH="/usr/share/nodejs")


def test_like_listmonk(case):
    """As listmonk sends: a bulk account, ten connections kept open, many messages on each, List-Unsubscribe of its own."""
    import smtplib
    from kit.smtp import unverified
    sink = Sink(case)
    repute = Repute(case, sink=sink, start=False)
    repute.file.write_text(repute.file.read_text().replace("[[account]]\n", '[[account]]\nstream = "bulk"\n', 1))
    repute.start()
    many, faults = 40, []

    def connection(number):
        try:
            with smtplib.SMTP("127.0.0.1", repute.port) as client:
                client.starttls(context=unverified())
                client.login("app", PASSWORD)
                for n in range(many):
                    letter = (f"From: News <{FROM}>\r\nTo: r{number}-{n}@receiver.example\r\nSubject: Issue 7\r\nList-Id: <news.sender.example>\r\n"
                              f"List-Unsubscribe: <https://news.sender.example/leave/{number}-{n}>\r\n"
                              f"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: bulk\r\n\r\nHello {number}-{n}\r\n")
                    client.sendmail(FROM, [f"r{number}-{n}@receiver.example"], letter)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=connection, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults, faults
    messages = sink.wait(10 * many, 120)
    assert len({m.recipients[0] for m in messages}) == 10 * many
    for message in messages:
        leave = message.field("List-Unsubscribe")
        assert len(leave) == 1 and leave[0].startswith("<https://news.sender.example/leave/"), leave
        signed = message.field("DKIM-Signature")[0].lower()
        assert "list-unsubscribe" in signed and "list-unsubscribe-post" in signed, signed
