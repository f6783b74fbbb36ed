"""What hostile applications and strangers try, judged by what reaches the sink."""
import base64
import json
import re
import urllib.error
import urllib.request

from kit.case import free_port
from kit.repute import Repute
from kit.sink import Sink

FROM, TO = "app@sender.example", "bob@receiver.example"

#: Each would begin a field, a message or a recipient of its own where it were taken as it is.
BREAKS = ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\r\n\r\nX-Evil: 1", "\r\n.\r\nMAIL FROM:<x@evil.example>\r\nX-Evil: 1", "\0X-Evil: 1",
          "\u2028X-Evil: 1", "\u2029X-Evil: 1", "\u0085X-Evil: 1", "\x0bX-Evil: 1", "\x0cX-Evil: 1", "\r\n X-Evil: 1", "\r\n\tX-Evil: 1",
          "=?utf-8?q?=0D=0AX-Evil:_1?=", "%0d%0aX-Evil: 1", "\x7f\x1b[31mX-Evil: 1", "\ud800X-Evil: 1", "a" * 5000 + "X-Evil: 1", "ä" * 3000 + "X-Evil: 1"]


def world(case, **more):
    port, sink = free_port(), Sink(case)
    repute = Repute(case, sink=sink, more=f'[web]\nlisten = "127.0.0.1:{port}"\nrequests_per_minute = 100000\n', start=False, **more)
    token = repute.json("token", "add", "web", "--account", "app", "--allow", "send,read,suppress", "--write")["token"]
    repute.start()
    return sink, repute, f"http://127.0.0.1:{port}", token


def post(url, document, **fields):
    """The status of a document that is posted, and the answer."""
    body = json.dumps(document).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json", **fields})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text)


def content(text="Hallo"):
    return base64.b64encode(text.encode()).decode()


def native(x):
    """Messages of the API of our own, each with `x` in one place."""
    plain = {"from": FROM, "to": TO, "subject": "S", "text": "T"}
    for place in ("from", "to", "cc", "bcc", "reply_to"):
        yield place + " name", {**plain, place: {"address": FROM if place == "from" else TO, "name": "N" + x}}
        yield place + " text", {**plain, place: f'"N{x}" <{FROM if place == "from" else TO}>'}
        yield place + " bare", {**plain, place: f"N{x} <{FROM if place == 'from' else TO}>"}
        yield place + " address", {**plain, place: {"address": f"bob{x}@receiver.example"}}
        yield place + " domain", {**plain, place: {"address": f"bob@receiver.example{x}"}}
    yield "subject", {**plain, "subject": "S" + x}
    yield "subject first", {**plain, "subject": x}
    yield "text", {**plain, "text": "T" + x}
    yield "html", {**plain, "html": "<p>T" + x}
    yield "field value", {**plain, "headers": {"X-Own": "V" + x}}
    yield "field name", {**plain, "headers": {"X-Own" + x: "V"}}
    yield "field whole name", {**plain, "headers": {x: "V"}}
    for name in ("List-Unsubscribe", "List-Id", "Message-ID", "In-Reply-To", "References", "Date", "Comments", "Return-Path", "Bcc", "Resent-To",
                 "Sender", "Content-Type", "MIME-Version", "Disposition-Notification-To", "Feedback-ID"):
        yield name, {**plain, "headers": {name: f"<https://sender.example/{x}>"}}
    for member in ("name", "type", "content_id"):
        file = {"name": "a.txt", "type": "text/plain", "content": content(), "content_id": "c"}
        yield "file " + member, {**plain, "html": "<p>", "attachments": [{**file, member: file[member] + x}]}
    yield "file content", {**plain, "attachments": [{"name": "a.txt", "content": content("x") + x}]}
    yield "tags", {**plain, "tags": ["t" + x]}
    yield "metadata", {**plain, "metadata": {"k" + x: "v" + x}}
    yield "campaign", {**plain, "campaign": "c" + x, "list": "l" + x}
    yield "send_at", {**plain, "send_at": "2026-11-27T08:00:00Z" + x}
    yield "raw", {"raw": content(f"From: {FROM}\r\nTo: {TO}\r\nSubject: S\r\n\r\nT{x if x.isascii() else str()}\r\n")}


def postmark(x):
    plain = {"From": FROM, "To": TO, "Subject": "S", "TextBody": "T"}
    for place in ("From", "To", "Cc", "Bcc", "ReplyTo"):
        yield place + " quoted", {**plain, place: f'"N{x}" <{FROM if place == "From" else TO}>'}
        yield place + " bare", {**plain, place: f'N{x} <{FROM if place == "From" else TO}>'}
        yield place, {**plain, place: f"bob@receiver.example{x}"}
    yield "Subject", {**plain, "Subject": "S" + x}
    yield "Tag", {**plain, "Tag": "t" + x}
    yield "Metadata", {**plain, "Metadata": {"k": "v" + x}}
    yield "Headers value", {**plain, "Headers": [{"Name": "X-Own", "Value": "V" + x}]}
    yield "Headers name", {**plain, "Headers": [{"Name": "X-Own" + x, "Value": "V"}]}
    file = {"Name": "a.txt", "ContentType": "text/plain", "Content": content(), "ContentID": "cid:c"}
    for member in file:
        yield "Attachments " + member, {**plain, "HtmlBody": "<p>", "Attachments": [{**file, member: file[member] + x}]}


#: Every field that a message of these may have.
FIELDS = {"from", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding", "received",
          "dkim-signature", "x-own", "list-unsubscribe", "list-id", "in-reply-to", "references", "comments", "feedback-id", "cfbl-address",
          "disposition-notification-to", "resent-to", "content-disposition", "content-id", "list-unsubscribe-post", "auto-submitted"}


def check(message):
    """No octets that could be read as more than one message, and no field that nobody wrote."""
    octets = message.content
    assert b"\0" not in octets and not re.search(rb"\r(?!\n)|(?<!\r)\n", octets), octets[:2000]
    header = message.header()
    assert all(len(line) <= 998 for line in octets.split(b"\r\n")), max(octets.split(b"\r\n"), key=len)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", header), header
    for line in header.split(b"\r\n"):
        if line[:1] in b" \t":
            assert line.strip(), header
            continue
        name = line.split(b":")[0].decode("ascii").lower()
        assert name in FIELDS, (name, header.decode(errors="replace")[:3000])
    for recipient in message.recipients:
        assert re.fullmatch(r"<bob@receiver\.example>.*", recipient), recipient


def test_fields_stay_in_their_places(case):
    """Line ends, NULs, separators of lines and overlong values in every member of the API and of Postmark's: either refused with a
    problem, or one message with its own fields alone."""
    sink, repute, url, token = world(case)
    taken = 0
    for n, x in enumerate(BREAKS):
        # Each place gets a tenth of them, so that all places and all breaks are met.
        tenth = lambda documents: list(documents)[n % 10::10]
        for place, document in tenth(native(x)):
            status, answer = post(url + "/v1/messages", document, Authorization="Bearer " + token)
            assert status in (202, 400, 403, 422), (place, x, status, answer)
            taken += status == 202 and "send_at" not in document
            if status != 202:
                assert answer["detail"] and answer["status"] == status, answer
        for place, document in tenth(postmark(x)):
            status, answer = post(url + "/email", document, **{"X-Postmark-Server-Token": token})
            assert status in (200, 422), (place, x, status, answer)
            taken += status == 200
    for message in sink.wait(taken, 60):
        check(message)
    assert taken > 50, taken
