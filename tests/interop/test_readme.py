"""The README, done as it says, by somebody who has only read it."""
import pathlib
import re

from kit import bind, receiver, room
from kit.case import Process, needs, needs_room, wait_for

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
TOOLS = ("postfix", "opendkim", "opendmarc", "policyd-spf", "named")


@needs_room
@needs(*TOOLS)
def test_from_ten_lines_to_the_first_message(case):
    """Ten lines, two commands, the records published, `repute send`: dmarc=pass; `repute why` tells the tale."""
    tools = case.folder / "bin"
    tools.mkdir()
    repute = tools / "repute"
    repute.symlink_to(case.binary)

    def run(*words, **options):
        return case.run([repute, *words], **options)

    ten_lines = re.search(r"```toml\n(.*?)```", README.read_text(), re.S)[1]
    assert len([line for line in ten_lines.splitlines() if line.strip() and not line.startswith("#")]) <= 10
    # The commands write what the example shows: they start from what stands above.
    file = pathlib.Path("/etc/repute/repute.toml")
    # The one line more: in this little world there is no signed root to validate from.
    file.write_text(ten_lines.split("[[domain]]")[0] + "[resolver]\ndnssec = false\n\n")
    state = pathlib.Path("/var/lib/repute")
    case.run(["mount", "-t", "tmpfs", "none", "/var/lib"])
    state.mkdir()

    records = run("domain", "add", "example.com", "--write")
    zone = "".join(line + "\n" for line in records.splitlines() if " IN TXT " in line)
    assert zone.count("_domainkey") == 2, records
    said = run("account", "add", "shop", "--generate", "--write")
    password = next(line for line in said.splitlines() if len(line) >= 16 and " " not in line)
    run("config", "check")

    mx = f"@ IN MX 10 {receiver.NAME}.\n"
    own = f"{mx}@ IN TXT \"v=spf1 ip4:{room.SENDER} -all\"\n_dmarc IN TXT \"v=DMARC1; p=reject\"\nmail IN A {room.SENDER}\n{zone}"
    zones = {"example.com": own, "example.net": mx, "receiver.example": receiver.RECORDS}
    bind.Bind(case, bind.names(zones, {room.SENDER: "mail.example.com", room.RECEIVER: receiver.NAME}))
    there = receiver.Receiver(case, domains=("example.net", "example.com"))

    server = Process("serve", [repute, "serve"], case.folder / "serve.log")
    case.defer(server.stop)
    wait_for("the server is ready", lambda: "repute: ready" in server.said() or not server.running())
    assert server.running(), server.said()
    secret = case.folder / "password"
    secret.write_text(password + "\n")
    run("send", "--server", "127.0.0.1:587", "--insecure", "--user", "shop", "--password-file", secret, "--from", "me@example.com",
        "--to", "you@example.net", "--subject", "Hello", "--text", "It works.")
    found = {(method, result) for method, result, _ in receiver.verdicts(there.wait()[0])}
    assert {("dkim", "pass"), ("spf", "pass"), ("dmarc", "pass")} <= found, found
    for words in (("why", "you@example.net"), ("status",)):
        assert run(*words).strip()
    assert "mx.receiver.example" in run("why", "you@example.net")
    run("queue", "list", ok=(0, 1))
