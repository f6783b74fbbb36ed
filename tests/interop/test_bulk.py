"""A letter to a list: checked, loaded, merged and signed; and killed in the middle of it."""
import csv
import json
import os
import random
import threading
import time

from kit.case import free_port, needs, wait_for
from kit.repute import Repute
from kit.sink import Sink

LETTER = ("From: News <news@sender.example>\nTo: {{ name }} <{{ email }}>\nSubject: Hello {{ name }}\n"
          "Content-Type: text/html; charset=utf-8\n\n<p>Dear {{ name }}, <a href=\"{{ unsubscribe_url }}\">leave</a></p>\n")
PEOPLE = int(os.environ.get("BULK_PEOPLE", "3000"))
NEWS = ('[web]\nurl = "https://mail.sender.example"\n\n[[account]]\nname = "news"\ndomains = ["sender.example"]\nstream = "bulk"\n'
        'addresses = ["127.0.0.2"]\n')


def server(case, sink, **options):
    return Repute(case, sink=sink, more=NEWS, listeners=("submission",), **options)


def files(case, rows):
    """The letter and the list; rows of an address and a name."""
    letter, people = case.folder / "autumn.eml", case.folder / "people.csv"
    letter.write_text(LETTER)
    with open(people, "w", newline="") as file:
        csv.writer(file).writerows([["E-Mail", "Name"], *rows])
    return ["--letter", letter, "--list", people, "--account", "news", "--no-dns"]


def arrived(sink):
    """Recipient to how often."""
    with sink.lock:
        messages = list(sink.messages)
    counts = {}
    for message in messages:
        for recipient in message.recipients:
            who = recipient.split(">")[0].lstrip("<")
            counts[who] = counts.get(who, 0) + 1
    return counts


def on_disk(repute):
    """Octets of the spool, without its log."""
    return sum(file.stat().st_size for file in repute.state.glob("**/spool.sqlite"))


def show(repute):
    return repute.json("bulk", "show", "autumn")


def test_bulk_checks_previews_and_sends(case):
    """Faults of every kind are told with their rows; everybody else gets a letter of their own, once."""
    sink = Sink(case)
    repute = server(case, sink)
    rows = [["ann@d.example", "Ann"], ["bob@d.example", "Böb <b>"], ["ann@D.example", "Ann"], ["no address", "X"],
            ["carol@d.example", ""], ["noreply@d.example", "N"]]
    arguments = files(case, rows)
    previews = repute.json("bulk", *arguments, "--preview", "3")
    assert [p["email"] for p in previews if "message" in p] == ["ann@d.example", "bob@d.example"], previews
    left_out = {p["line"]: p["left_out"]["why"] for p in previews if "left_out" in p}
    assert left_out == {4: "duplicate", 5: "syntax", 6: "field", 7: "role"}, "who gets nothing is told beside it"
    previews = repute.json("bulk", *arguments, "--preview", "2")
    assert "Subject: Hello Ann" in previews[0]["message"] and "DKIM-Signature" in previews[0]["message"], previews[0]
    checked = repute.json("bulk", *arguments, "--check")
    assert (checked["rows"], checked["good"]) == (6, 2), checked
    assert checked["refused"] == {"syntax": 1, "duplicate": 1, "role": 1, "field": 1}, checked
    with open(checked["refused_file"], newline="") as file:
        refused = {row["line"]: row["why"] for row in csv.DictReader(file)}
    assert refused == {"4": "duplicate", "5": "syntax", "6": "field", "7": "role"}, refused
    assert not sink.messages
    done = repute.json("bulk", *arguments, "--yes")
    assert (done["state"], done["taken"], done["delivered"], done["refused"]) == ("done", 2, 2, 4), done
    assert arrived(sink) == {"ann@d.example": 1, "bob@d.example": 1}
    bob = next(m for m in sink.messages if "bob@d.example" in m.recipients[0])
    assert b"B=C3=B6b &lt;b&gt;" in bob.content, bob.content
    assert bob.field("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    # What a launch would refuse, the check says.
    again = repute.json("bulk", *arguments, "--check", ok=(1,))
    assert "there is a campaign autumn already" in again["refusal"], again
    repute.file.write_text(repute.file.read_text().replace('url = "https://mail.sender.example"\n', ""))
    repute.stop()
    repute.start()
    without = repute.json("bulk", *arguments, "--check", "--campaign", "winter", ok=(1,))
    assert (without["good"], "set `url` in [web]" in without["refusal"]) == (2, True), without
    assert "https://mail.sender.example/unsubscribe/" in bob.field("List-Unsubscribe")[0]
    repute.command("bulk", *arguments, "--yes", ok=(1,))
    assert len(sink.messages) == 2, "a name is used once"
    listed = repute.json("bulk", "list")
    assert [c["campaign"] for c in listed] == ["autumn"], listed


def test_bulk_killed_in_the_middle(case):
    """kill -9 while the list loads and while it is sent: everybody gets the letter, and twice only who was under way."""
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
    dice = random.Random(seed)
    sink = Sink(case, keep_content=False)
    repute = server(case, sink)
    people = {f"p{n}@d{n % 50}.example" for n in range(PEOPLE)}
    rows = [[who, f"Person {n}"] for n, who in enumerate(sorted(people))]
    own, faults = sum(len(who) + len(name) for who, name in rows), PEOPLE // 50
    left = [f"left{n}@d.example" for n in range(faults)]
    for who in left[:20]:
        repute.command("suppression", "add", who, "--account", "news")
    # Of every 50 rows some are no address, twice there, an office's, without a field, or of somebody who has left.
    for n in range(faults):
        rows += [[f"no address {n}", "X"], rows[n], [f"noreply@d{n}.example", "N"], [f"f{n}@d.example", ""]]
    rows += [[who, "Left"] for who in left[:20]]
    dice.shuffle(rows)
    arguments = files(case, rows)
    began, before = time.monotonic(), on_disk(repute)

    def killed_soon():
        time.sleep(dice.uniform(0.3, 1.2))
        repute.kill()
    killer = threading.Thread(target=killed_soon)
    killer.start()
    repute.command("bulk", *arguments, "--yes", "--no-watch", ok=(0, 1, 75))
    killer.join()
    repute.start()
    if not repute.json("bulk", "list") or show(repute)["state"] == "loading":
        assert not sink.messages, "nothing is sent before the launch"
        repute.command("bulk", *arguments, "--yes", "--no-watch")
    spent = time.monotonic() - began
    # The log is copied when the server ends: what is in the file then is what the list takes.
    repute.stop()
    loaded = on_disk(repute)
    repute.start()
    each = (loaded - before - own) / PEOPLE
    # A small list is a few pages more or less.
    assert PEOPLE < 20_000 or each <= 200, f"{each:.0f} octets for a recipient beside its fields"
    kills = 1
    while show(repute)["state"] != "done" and kills < 6:
        time.sleep(dice.uniform(0.2, 0.8))
        repute.kill()
        kills += 1
        repute.start()
    wait_for("the campaign is done", lambda: show(repute)["state"] == "done", 120 + PEOPLE / 200)
    end, counts = show(repute), arrived(sink)
    assert counts.keys() == people, f"seed {seed}: {len(people - counts.keys())} are missing, {len(counts.keys() - people)} were not asked for"
    twice = sum(1 for n in counts.values() if n > 1)
    assert (end["taken"], end["delivered"], end["waiting"]) == (PEOPLE, PEOPLE, 0), end
    assert not any(who in counts for who in left), "who has left is not written to"
    # 100 ms of settlements may be lost with each kill (docs/queue-states.md), and what was under way.
    assert twice <= kills * 600, f"seed {seed}: {twice} came twice over {kills} kills"
    status = open(f"/proc/{repute.process.pid}/status").read()
    print(f"        seed {seed}: {kills} kills, {PEOPLE} recipients among {len(rows)} rows, 0 missing, {twice} came twice; "
          f"loaded after {spent:.0f} s, done after {time.monotonic() - began:.0f} s, {each:.0f} octets each beside its fields, "
          f"peak {int(status.split('VmHWM:')[1].split()[0]) // 1024} MiB")


def state_octets(repute):
    """Octets of the spool's database and of the history, each with its log."""
    names = ("spool.sqlite", "history.sqlite")
    return [sum(file.stat().st_size for file in repute.state.glob(f"**/{name}*")) for name in names]


def test_bulk_cancelled_and_killed(case):
    """A cancel is answered at once, nothing more goes out from then on, kill -9 or not, and everybody is counted once."""
    people = int(os.environ.get("BULK_PEOPLE", "6000"))
    sink = Sink(case, keep_content=False)
    repute = server(case, sink)
    arguments = files(case, [[f"p{n}@d{n % 50}.example", f"Person {n}"] for n in range(people)])
    repute.command("bulk", *arguments, "--yes", "--no-watch", timeout=900)
    sink.wait(50, 60)
    loaded, began = state_octets(repute), time.monotonic()
    answer = repute.json("bulk", "cancel", "autumn")
    answered = time.monotonic() - began
    assert answer["state"] in ("cancelling", "cancelled"), answer
    came = len(sink.messages)
    time.sleep(0.3)
    repute.kill()
    killed = len(sink.messages)
    # What was under way at the answer ended as it ended: at most one for each session.
    assert killed - came <= 64, f"{killed - came} came after the answer"
    repute.start()
    wait_for("the campaign is cancelled", lambda: show(repute)["state"] == "cancelled", 120 + people / 500)
    spent, end = time.monotonic() - began, show(repute)
    assert len(sink.messages) == killed, "after the restart nobody is written to"
    assert (end["delivered"] + end["cancelled"], end["waiting"], end["failed"]) == (people, 0, 0), end
    # Up to 100 ms of settlements go with the kill (docs/queue-states.md).
    assert end["delivered"] <= killed, (end, killed)
    assert not repute.json("queue", "list", ok=(0, 1))["rows"]
    someone = next(iter(arrived(sink)))
    told = [step["step"] for step in repute.json("why", someone, ok=(0, 1))["steps"]]
    assert not told or told[0] == "accepted", told
    told = repute.json("why", end["id"])["steps"]
    assert told[-1]["step"] == "cancelled" and told[-1]["recipients"] == end["cancelled"], told[-1]
    repute.stop()
    after = state_octets(repute)
    print(f"        {people} recipients, {end['cancelled']} cancelled: answered after {answered:.2f} s, over after {spent:.1f} s; "
          f"spool {loaded[0] >> 10} to {after[0] >> 10} KiB, history {loaded[1] >> 10} to {after[1] >> 10} KiB")


@needs("curl")
def test_one_click_leaves_the_list(case):
    """The link of a letter: looking takes nobody off, one click does, in both forms of RFC 8058, and stays done."""
    port = free_port()
    more = NEWS.replace("[web]\n", f'[web]\nlisten = "127.0.0.1:{port}"\n')
    sink = Sink(case)
    repute = Repute(case, sink=sink, more=more, listeners=("submission",))
    repute.command("bulk", *files(case, [["ann@d.example", "Ann"], ["bob@d.example", "Bob"]]), "--yes")
    links = {m.recipients[0].split(">")[0].lstrip("<"): m.field("List-Unsubscribe")[0].split(">")[0].lstrip("<") for m in sink.messages}
    here = {who: link.replace("https://mail.sender.example", f"http://127.0.0.1:{port}") for who, link in links.items()}
    curl = ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code} %{num_redirects} %header{set-cookie}"]
    page = case.run([*curl, here["ann@d.example"]])
    assert "Leave the list people" in page and page.endswith("\n200 0 "), page
    assert repute.json("suppression", "list", ok=(0, 1))["entries"] == [], "looking changes nothing"
    done = case.run([*curl, "--data", "List-Unsubscribe=One-Click", here["ann@d.example"]])
    assert "<h1>You have left</h1>" in done and done.endswith("\n200 0 "), done
    again = case.run([*curl, "--form", "List-Unsubscribe=One-Click", here["ann@d.example"]])
    assert "Nothing has changed." in again, again
    every = case.run([*curl, "--data", "scope=everything", here["bob@d.example"]])
    assert "no more mail from this sender" in every, every
    kept = {e["address"]: e["why"] for e in repute.json("suppression", "list")["entries"]}
    assert kept == {"ann@d.example": "unsubscribed", "bob@d.example": "unsubscribed"}, kept
    forged = case.run([*curl, "--data", "List-Unsubscribe=One-Click", here["ann@d.example"][:-1]])
    assert "This link does not work" in forged and forged.endswith("\n404 0 "), forged
    checked = repute.json("bulk", *files(case, [["ann@d.example", "Ann"], ["bob@d.example", "Bob"], ["carol@d.example", "Carol"]]), "--campaign", "winter", "--check")
    assert (checked["good"], checked["refused"]) == (1, {"suppressed": 2}), checked


@needs("curl")
def test_curl_sends_a_list_and_follows_what_becomes_of_it(case):
    """A campaign over HTTP: the list as one body of CSV, and the stream of events taken up where it was left."""
    port = free_port()
    more = NEWS.replace("[web]\n", f'[web]\nlisten = "127.0.0.1:{port}"\n')
    sink = Sink(case)
    repute = Repute(case, sink=sink, more=more, listeners=("submission",), start=False)
    token = repute.json("token", "add", "list", "--account", "news", "--allow", "send,read", "--write")["token"]
    repute.start()
    api = f"http://127.0.0.1:{port}/v1"
    curl = ["curl", "--silent", "--show-error", "--fail-with-body", "-H", f"Authorization: Bearer {token}"]
    begin = json.dumps({"campaign": "autumn", "list": "weekly", "letter": LETTER, "fields": ["name"]})
    case.run([*curl, "-H", "Content-Type: application/json", "--data-binary", "@-", f"{api}/campaigns"], stdin=begin)
    files(case, [[f"p{n}@d{n % 5}.example", f"Person {n}"] for n in range(200)])
    csv_body = ["-H", "Content-Type: text/csv", "-X", "POST", "-T", case.folder / "people.csv"]
    taken = json.loads(case.run([*curl, *csv_body, f"{api}/campaigns/autumn/recipients"]))
    assert (taken["taken"], taken["refused"]) == (200, {}), taken
    again = json.loads(case.run([*curl, *csv_body, f"{api}/campaigns/autumn/recipients"]))
    assert (again["taken"], again["passed_over"]) == (0, 200), again
    assert not sink.messages, "nothing is sent before the launch"
    case.run([*curl, "-X", "POST", f"{api}/campaigns/autumn/launch"])
    wait_for("the campaign is done", lambda: json.loads(case.run([*curl, f"{api}/campaigns/autumn"]))["state"] == "done", 60)
    assert len(arrived(sink)) == 200

    def delivered(*since):
        """Ids of the events that come within two seconds."""
        follow = [*curl, "--no-buffer", "--max-time", "2", *since, f"{api}/events?types=delivered&since=start"]
        lines = case.run(follow, ok=(28,)).splitlines()
        return [lines[n - 1].removeprefix("id: ") for n, line in enumerate(lines) if line == "event: delivered"]
    whole = delivered()
    assert len(whole) == 200 and whole == sorted(set(whole)), len(whole)
    assert delivered("-H", f"Last-Event-ID: {whole[149]}") == whole[150:]
