"""Webhooks: receivers of every kind, signatures checked with the standard library, kills in between."""
import base64
import hashlib
import hmac
import http.server
import json
import re
import ssl
import threading
import time

from kit.case import free_port, needs, wait_for
from kit.load import Killer, Load
from kit.repute import Repute
from kit.sink import Sink
from kit.smtp import Raw, content

FROM, TO = "app@sender.example", "bob@receiver.example"
SECRETS = ["whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]


def genuine(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.'.encode() + body
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return right in headers["webhook-signature"].split(" ") and abs(time.time() - int(headers["webhook-timestamp"])) < 60


class Receiver:
    """An HTTP server that notes what it gets. `answer(request)` is a status, a (status, header fields), or None:
    then it hangs until `free` is set."""

    def __init__(self, case, answer=lambda _: 204, tls=None):
        self.got, self.lock, self.free = [], threading.Lock(), threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                request = {"headers": self.headers, "octets": body, "body": json.loads(body), "path": self.path}
                with receiver.lock:
                    receiver.got.append(request)
                said = answer(request)
                if said is None:
                    receiver.free.wait(120)
                    said = 503
                status, fields = said if isinstance(said, tuple) else (said, {})
                request["status"] = status
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.defer(self.end)

    def end(self):
        self.free.set()
        self.server.shutdown()
        self.server.server_close()

    def taken(self):
        with self.lock:
            return [r for r in self.got if 200 <= r.get("status", 0) < 300]


def events(requests):
    for request in requests:
        body = request["body"]
        yield from body["data"] if body["type"] == "batch" else [body]


def webhook(name, port, scheme="http", more="", private=True):
    secrets = json.dumps(SECRETS)
    return (f'[[webhook]]\nname = "{name}"\nurl = "{scheme}://127.0.0.1:{port}/hooks"\nsecret = {secrets}\n'
            + ("allow_private = true\n" if private else "") + more + "\n")


def world(case, *blocks, sink=None, **options):
    sink = sink or Sink(case)
    repute = Repute(case, sink=sink, local=True, start=False, more="".join(blocks), **options)
    repute.file.chmod(0o600)
    repute.start()
    return sink, repute


def submit(repute, to=TO):
    """The id of the message."""
    with Raw("127.0.0.1", repute.port) as client:
        code, lines = client.message(FROM, [to], content())
        assert code == 250, lines
        return queue_id(lines)


def queue_id(lines):
    return re.search(r"\b[0-9a-z]{13}\b", " ".join(lines))[0]


def test_signed_events(case):
    """accepted, deferred, bounced, delivered arrive in order, signed by both secrets; the file and the command have the same."""
    receiver = Receiver(case)
    refuse = {"gone@receiver.example": "550 5.1.1 no such user", "later@receiver.example": "451 4.7.1 greylisted"}

    def on_rcpt(text):
        return next((reply for who, reply in refuse.items() if who in text), None)
    lines = case.folder / "events.jsonl"
    more = f'[events]\nfile = "{lines}"\n\n[retry]\nfirst = "1s"\nmax_interval = "1s"\n'
    _, repute = world(case, webhook("shop", receiver.port), more, sink=Sink(case, on_rcpt=on_rcpt))
    assert repute.json("webhook", "test", "shop")["taken"]
    assert receiver.got[0]["body"]["type"] == "webhook.test"
    fine, gone, later = (submit(repute, to) for to in (TO, "gone@receiver.example", "later@receiver.example"))

    def kinds(message):
        return [e["type"] for e in events(receiver.taken()) if e["data"].get("message") == message]
    wait_for("the first deferral is told", lambda: "deferred" in kinds(later))
    del refuse["later@receiver.example"]
    wait_for("all is told", lambda: "delivered" in kinds(later) and len(kinds(fine)) == 2 and len(kinds(gone)) == 2)
    assert kinds(fine) == ["accepted", "delivered"]
    assert kinds(gone) == ["accepted", "bounced"]
    assert kinds(later)[0] == "accepted" and kinds(later)[-1] == "delivered" and set(kinds(later)[1:-1]) == {"deferred"}, kinds(later)
    for request in receiver.got:
        assert all(genuine(secret, request["headers"], request["octets"]) for secret in SECRETS), request["headers"]
        assert request["headers"]["webhook-id"] == request["body"]["id"]
    bounced = next(e for e in events(receiver.got) if e["type"] == "bounced")
    assert bounced["data"]["bounce"] == "attempt" and bounced["data"]["status"] == "5.1.1", bounced
    told = [e["id"] for e in events(receiver.taken()) if e["type"] != "webhook.test"]

    def written():
        return [json.loads(line)["id"] for line in lines.read_text().splitlines()]
    wait_for("the file has every event", lambda: sorted(written()) == sorted(told))
    listed = [json.loads(line)["id"] for line in repute.command("--json", "events").splitlines()]
    assert sorted(told) == listed, (told, listed)
    after = repute.command("--json", "events", "--since", listed[0], "--type", "bounced").splitlines()
    assert [json.loads(line)["id"] for line in after] == [bounced["id"]]
    # Moved away as logrotate does, and begun anew.
    lines.rename(case.folder / "events.1")
    repute.process.signal(1)
    repute.wait_said("reloaded")
    again = submit(repute)
    wait_for("the new file has the next", lambda: lines.exists() and again in lines.read_text())
    count = len(receiver.got)
    assert repute.json("webhook", "redeliver", "shop", "--message", fine)["events"] == 2
    wait_for("they come again", lambda: kinds(fine) == ["accepted", "delivered"] * 2)
    ids = [e["id"] for e in events(receiver.taken()) if e["data"].get("message") == fine]
    assert ids[:2] == ids[2:], ids
    assert count < len(receiver.got)


def test_kill_under_load(case):
    """Killed over and over: every accepted message is told as accepted and as delivered, in this order, under stable ids."""
    killer = Killer(6)
    refused = set()

    def answer(request):
        """A request is refused once at most: after a second time it is five minutes until it is made again."""
        name = request["headers"]["webhook-id"]
        if name in refused or killer.dice.random() >= 0.02:
            return 204
        refused.add(name)
        return 500
    receiver = Receiver(case, answer=answer)
    _, repute = world(case, webhook("shop", receiver.port, more='batch = 50\nbatch_wait = "100ms"\n'),
                      sink=Sink(case, keep_content=False), ports={"submission": free_port()}, listeners=("submission",))
    load = Load(repute.port, mark=lambda lines, *_: [queue_id(lines)], clients=4)
    killer.go(repute, load, (0.2, 1.2))
    missing = None

    def all_told():
        nonlocal missing
        told = {"accepted": set(), "delivered": set()}
        for event in events(receiver.taken()):
            told.setdefault(event["type"], set()).add(event["data"].get("message"))
        missing = {kind: load.accepted - told[kind] for kind in ("accepted", "delivered")}
        return not any(missing.values())
    try:
        wait_for("every event", all_told, 90)
    except AssertionError:
        raise AssertionError(f"seed {killer.seed}: of {len(load.accepted)} messages are not told: "
                             + ", ".join(f"{len(m)} {kind} {sorted(m)[:3]}" for kind, m in missing.items())) from None
    seen, order, twice = {}, {}, 0
    for event in events(receiver.taken()):
        if event["id"] in seen:
            twice += 1
            assert seen[event["id"]] == event, "another event under the same id"
        else:
            order.setdefault(event["data"].get("message"), []).append(event["id"])
        seen[event["id"]] = event
    wrong = [message for message, ids in order.items() if ids != sorted(ids) or seen[ids[0]]["type"] != "accepted"]
    # What was accepted in the last moment before a kill is told as accepted after the start.
    assert not wrong, f"seed {killer.seed}: out of order: {[(m, [seen[i]['type'] for i in order[m]]) for m in wrong[:5]]}"
    print(f"        seed {killer.seed}: {killer.kills} kills, {len(load.accepted)} messages, {len(seen)} events, {twice} came twice, 0 missing")
    assert len(load.accepted) > 10 * killer.rounds, len(load.accepted)


def test_a_receiver_that_hangs_delays_nobody(case):
    """One receiver hangs, one says 500: mail flows, the third receiver hears everything."""
    hanging, failing, fine = Receiver(case, answer=lambda _: None), Receiver(case, answer=lambda _: 500), Receiver(case)
    blocks = [webhook("hanging", hanging.port, more='timeout = "2s"\n'), webhook("failing", failing.port), webhook("fine", fine.port)]
    sink, repute = world(case, *blocks)
    ids = [submit(repute) for _ in range(50)]
    sink.wait(50)
    wait_for("the third hears everything", lambda: {e["data"].get("message") for e in events(fine.taken()) if e["type"] == "delivered"} >= set(ids))
    rows = {row["name"]: row for row in repute.json("webhook", "list")}
    assert rows["fine"]["taken"] == 100 and rows["fine"]["waiting"] == 0, rows["fine"]
    assert rows["hanging"]["taken"] == 0 and rows["failing"]["taken"] == 0
    assert "500" in rows["failing"]["last_failure"], rows["failing"]
    wait_for("the time is over", lambda: "no answer within 2" in repute.json("webhook", "show", "hanging")["last_failure"])
    assert len(failing.got) < 50, "a receiver that fails is hammered"


def test_redirects_and_inside_addresses(case):
    """A redirect to an inside address is not followed, and without allow_private an inside address is no receiver."""
    inside = Receiver(case)
    outside = Receiver(case, answer=lambda _: (302, {"location": f"http://127.0.0.1:{inside.port}/admin"}))
    _, repute = world(case, webhook("redirected", outside.port))
    submit(repute)
    wait_for("the redirect is a failure", lambda: "not followed" in repute.json("webhook", "show", "redirected")["last_failure"])
    text = repute.file.read_text()
    repute.file.write_text(text + webhook("guarded", inside.port, scheme="https", private=False))
    said = repute.command("config", "check", ok=(1, 2))
    assert "127.0.0.1 is not called" in said and "allow_private" in said, said
    assert not inside.got, inside.got


@needs("openssl")
def test_wrong_certificate(case):
    """A certificate that nobody vouches for: no event is told, and it is said why."""
    key, certificate = case.folder / "key.pem", case.folder / "certificate.pem"
    case.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
              "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    receiver = Receiver(case, tls=tls)
    _, repute = world(case, webhook("shop", receiver.port, scheme="https"))
    submit(repute)
    wait_for("the failure is told", lambda: "certificate" in repute.json("webhook", "show", "shop")["last_failure"])
    assert not receiver.got


def test_gone_and_resumed(case):
    """410 disables it, with an incident in the log; resume loses nothing."""
    gone = threading.Event()
    gone.set()
    receiver = Receiver(case, answer=lambda _: 410 if gone.is_set() else 200)
    _, repute = world(case, webhook("shop", receiver.port))
    first = submit(repute)
    wait_for("it is disabled", lambda: repute.json("webhook", "show", "shop")["state"] == "disabled")
    repute.wait_said("incident opened")
    gone.clear()
    second = submit(repute)
    time.sleep(1)
    assert not receiver.taken()
    assert repute.stop() == 0
    repute.start()
    assert repute.json("webhook", "show", "shop")["state"] == "disabled", "a restart forgets it"
    repute.command("webhook", "resume", "shop")
    wait_for("both are told", lambda: {e["data"].get("message") for e in events(receiver.taken()) if e["type"] == "delivered"} >= {first, second})
