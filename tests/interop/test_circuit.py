"""Circuits, as the account and the operator meet them: over HTTP with their tokens, and by command."""
import http.client
import json

from kit.case import free_port, wait_for
from kit.repute import Repute
from kit.sink import Sink

FROM = "app@sender.example"


class World:
    """A receiver that knows only `ann`, a server, and tokens: two accounts' and the operator's."""

    def __init__(self, case):
        self.sink = Sink(case, on_rcpt=lambda text: None if "ann" in text else "550 5.1.1 no such user here")
        self.port = free_port()
        self.repute = Repute(case, sink=self.sink, more=f'[web]\nlisten = "127.0.0.1:{self.port}"\n', listeners=("submission",), start=False)
        self.repute.append(self.repute.account("other"))
        add = lambda *words: self.repute.json("token", "add", *words, "--write")["token"]  # noqa: E731
        self.account = add("web", "--account", "app", "--allow", "send,read,queue")
        self.other = add("others", "--account", "other", "--allow", "send,read,queue")
        self.operator = add("ops", "--allow", "read,queue,operate")
        self.repute.start()

    def ask(self, token, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), fields)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")

    def send(self, to):
        status, said = self.ask(self.account, "POST", "/v1/messages", {"from": FROM, "to": to, "text": "x"})
        assert status == 202, said
        return said["id"]

    def open(self):
        return [row["name"] for row in self.ask(self.account, "GET", "/v1/circuits")[1]["circuits"]]

    def break_circuit(self, who):
        for n in range(11):
            self.send(f"{who}{n}@receiver.example")
        wait_for("the circuit is open", lambda: self.open() == ["app"])

    def held(self):
        return [row["id"] for row in self.ask(self.operator, "GET", "/v1/queue?held=true")[1]["rows"]]


def test_an_account_cancels_its_own_open_circuit(case):
    """The account sees why it was stopped and may throw away what is left, its own alone; that it goes on is not its to say."""
    world = World(case)
    world.break_circuit("gone")
    why = world.ask(world.account, "GET", "/v1/circuits")[1]["circuits"][0]
    assert why["what"] == "circuit.unknown" and "recipients do not exist: gone" in why["text"], why
    assert world.ask(world.other, "GET", "/v1/circuits")[1]["circuits"] == []
    mine = world.send("ann@receiver.example")
    wait_for("it is held", lambda: world.held() == [mine])
    name = {"name": "app"}
    # Whoever stole the token must not get the mail out, by whichever door.
    assert world.ask(world.account, "POST", "/v1/circuits/continue", name)[0] == 403
    for path in ("release", "retry"):
        assert world.ask(world.account, "POST", f"/v1/queue/{path}", {"ids": [mine]})[0] == 200
    wait_for("what was released is held again", lambda: world.held() == [mine])
    assert not world.sink.messages, "an account's token got its mail past its circuit"
    status, problem = world.ask(world.other, "POST", "/v1/circuits/cancel", name)
    assert (status, problem["type"]) == (404, "/problems/not-found"), problem
    status, said = world.ask(world.account, "POST", "/v1/circuits/cancel", name)
    assert (status, said["now"]) == (200, 1), said
    assert world.open() == [] and world.held() == []
    steps = world.ask(world.account, "GET", f"/v1/messages/{mine}")[1]
    assert "cancelled" in json.dumps(steps), steps
    assert world.ask(world.account, "POST", "/v1/circuits/cancel", name)[0] == 404, "it is closed"
    world.send("ann2@receiver.example")
    assert [m.recipients for m in world.sink.wait(1)] == [["<ann2@receiver.example>"]]


def test_a_person_goes_on_or_cancels_by_command(case):
    """`repute circuit`: why, go on; and again, cancel."""
    world = World(case)
    world.break_circuit("gone")
    mine = world.send("ann@receiver.example")
    wait_for("it is held", lambda: world.held() == [mine])
    rows = world.repute.json("circuit", "list")
    assert world.repute.json("status")["circuits"] == rows["open"], "the operator is told"
    rows = rows["open"] if isinstance(rows, dict) else rows
    assert [row["name"] for row in rows] == ["app"], rows
    world.repute.command("circuit", "continue", "app")
    world.sink.wait(1)
    world.break_circuit("nobody")
    world.send("ann3@receiver.example")
    wait_for("it is held", lambda: len(world.held()) == 1)
    world.repute.command("circuit", "cancel", "app")
    assert world.open() == [] and world.held() == [] and len(world.sink.messages) == 1
