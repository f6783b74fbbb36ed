"""The HTTP API with plain clients: curl, Python's own, and a server that is killed."""
import http.client
import json
import signal
import smtplib
import threading
import time
import uuid

from kit.case import free_port, needs, wait_for
from kit.repute import Repute

KEYS, CLIENTS, KILLS = 120, 4, 3


def server(case):
    """A server with HTTP on loopback, whose mail goes nowhere, and a token of its account `app`."""
    port = free_port()
    nowhere = f'[[route]]\nhost = "127.0.0.1"\nport = {free_port()}\ntls = "none"\n'
    repute = Repute(case, more=f'[web]\nlisten = "127.0.0.1:{port}"\n\n{nowhere}', listeners=("submission",), start=False)
    token = repute.json("token", "add", "web", "--account", "app", "--allow", "send,read,queue", "--write")["token"]
    repute.start()
    return repute, port, token


def ask(port, token, method, path, body=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **fields}
    connection.request(method, path, None if body is None else json.dumps(body), fields)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@needs("curl")
def test_curl_sends_a_message(case):
    """curl hands in a message, asks about it, and takes it back."""
    repute, port, token = server(case)
    url = f"http://127.0.0.1:{port}/v1/messages"
    curl = ["curl", "--silent", "--show-error", "--fail-with-body", "-H", f"Authorization: Bearer {token}"]
    whole = "From: app@sender.example\nTo: bob@a.example\nSubject: whole\n\nHi\n"
    sent = json.loads(case.run([*curl, "-H", "Content-Type: message/rfc822", "--data-binary", "@-", url], stdin=whole))
    told = json.loads(case.run([*curl, f"{url}/{sent['id']}"]))
    assert [r["address"] for r in told["recipients"]] == ["bob@a.example"], told
    assert told["account"] == "app" and told["history"][0]["step"] == "accepted", told
    assert repute.json("queue", "list")["rows"][0]["id"] == sent["id"]
    case.run([*curl, "-X", "DELETE", f"{url}/{sent['id']}"])
    status, problem = ask(port, token, "DELETE", f"/v1/messages/{sent['id']}")
    assert (status, problem["type"]) == (409, "/problems/conflict"), problem


TOO_LARGE = """
const http = require("http");
const [port, token] = process.argv.slice(2);
const piece = Buffer.alloc(1 << 20, 32), pieces = 90;
const request = http.request({ host: "127.0.0.1", port, path: "/v1/messages", method: "POST", headers: {
    "Authorization": `Bearer ${token}`, "Content-Type": "application/json", "Content-Length": piece.length * pieces } });
request.on("error", (error) => console.log(error.code));
request.on("response", (answer) => {
    let text = "";
    answer.on("data", (data) => { text += data; });
    answer.on("end", () => { console.log(answer.statusCode, JSON.parse(text).type); process.exit(); });
});
for (let n = 0; n < pieces; n++) request.write(piece);
request.end();
"""


@needs("node")
def test_node_reads_why_its_body_is_too_large(case):
    """A client that sends without listening reads the 413, and no broken pipe."""
    _, port, token = server(case)
    file = case.folder / "large.js"
    file.write_text(TOO_LARGE)
    said = case.run(["node", str(file), str(port), token])
    assert said.strip() == "413 /problems/too-large", said


def test_a_key_holds_over_kill_9(case):
    """kill -9 under load: every request with a key is one message, whatever was answered."""
    repute, port, token = server(case)
    keys, answered, lock = [uuid.uuid4().hex for _ in range(KEYS)], {}, threading.Lock()

    def send(key):
        body = {"from": "app@sender.example", "to": f"{key}@a.example", "text": "x"}
        return ask(port, token, "POST", "/v1/messages", body, **{"Idempotency-Key": key})

    def client(mine):
        for key in mine:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    status, answer = send(key)
                except (OSError, http.client.HTTPException, ValueError):
                    status = 0
                if status == 202:
                    with lock:
                        answered[key] = answer["id"]
                    break
                time.sleep(0.02)

    threads = [threading.Thread(target=client, args=(keys[n::CLIENTS],), daemon=True) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for kill in range(1, KILLS + 1):
        while len(answered) < kill * KEYS // (KILLS + 2) and any(t.is_alive() for t in threads):
            time.sleep(0.005)
        repute.kill()
        repute.start()
    for thread in threads:
        thread.join(90)
    assert len(answered) == KEYS, f"{KEYS - len(answered)} requests were never answered"
    rows = repute.json("queue", "list", "--limit", str(2 * KEYS))["rows"]
    queued = {row["recipients"][0]["address"].split("@")[0]: row["id"] for row in rows}
    assert len(rows) == KEYS, f"{len(rows)} messages for {KEYS} requests"
    assert queued == answered
    assert send(keys[0])[1]["id"] == answered[keys[0]]
    status, problem = ask(port, token, "POST", "/v1/messages", {"from": "x"}, **{"Idempotency-Key": keys[0]})
    assert status == 422 and problem["errors"], problem


def test_a_rate_of_an_account_holds_by_smtp_and_http(case):
    """smtplib is told 450 and a sentence, HTTP 429 and when to go on; a reload without the rate lets it go on."""
    port = free_port()
    rated = '[[account]]\nname = "rated"\ndomains = ["sender.example"]\naddresses = ["127.0.0.1"]\nrate = "2/h"\n'
    nowhere = f'[[route]]\nhost = "127.0.0.1"\nport = {free_port()}\ntls = "none"\n'
    more = f'[web]\nlisten = "127.0.0.1:{port}"\n\n{nowhere}\n{rated}'
    repute = Repute(case, more=more, listeners=("submission",), start=False)
    token = repute.json("token", "add", "web", "--account", "rated", "--allow", "send", "--write")["token"]
    repute.start()
    letter = "From: a@sender.example\r\nTo: bob@a.example\r\nSubject: x\r\n\r\nHi\r\n"
    with smtplib.SMTP("127.0.0.1", repute.port, timeout=10) as client:
        client.sendmail("a@sender.example", ["bob@a.example", "eve@a.example"], letter)
        try:
            client.sendmail("a@sender.example", ["bob@a.example"], letter)
            raise AssertionError("more than its rate was taken")
        except smtplib.SMTPSenderRefused as refused:
            said = refused.smtp_error.decode()
            assert refused.smtp_code == 450 and said.startswith("4.7.1 account rated has handed in as much"), said
    message = {"from": "a@sender.example", "to": "bob@a.example", "text": "x"}
    status, problem = ask(port, token, "POST", "/v1/messages", message)
    assert (status, problem["type"], problem["enhanced"]) == (429, "/problems/too-many-requests", "4.7.1"), problem
    repute.file.write_text(repute.file.read_text().replace('rate = "2/h"\n', ""))
    repute.process.signal(signal.SIGHUP)
    repute.wait_said("reload")
    wait_for("the rate is gone", lambda: ask(port, token, "POST", "/v1/messages", message)[0] == 202, 10)
