"""The permit against a real name server: a reverse name is taken away and given back, and mail waits in between."""
import os
import signal
import time

from kit import room
from kit.case import needs, needs_room
from kit.smtp import Raw, content
from test_receiver import TOOLS, from_repute


def zone_of(case):
    return case.folder / "bind" / "113.0.203.in-addr.arpa.zone"


def reload(case, text):
    """named reads a zone again whose file is newer, on SIGHUP."""
    zone_of(case).write_text(text)
    later = time.time() + 2
    os.utime(zone_of(case), (later, later))
    os.kill(int((case.folder / "bind" / "named.pid").read_text()), signal.SIGHUP)


def wait_for(repute, word, patience):
    """Until the permit of our address is in this state. The watch is told to look now, instead of in a minute; what it
    finds counts when it is found twice, five seconds apart."""
    until = time.time() + patience
    asked = 0
    while time.time() < until:
        if time.time() > asked + 6:
            repute.command("permit", "check", ok=None)
            asked = time.time()
        rows = repute.json("permit", ok=None)["rows"]
        if [row["word"] for row in rows] == [word]:
            return rows[0]
        time.sleep(1)
    raise AssertionError(f"not {word} after {patience} s: {rows}")


@needs_room
@needs(*TOOLS)
def test_a_lost_reverse_name_holds_mail_until_it_is_back(case):
    """Permitted; the PTR goes: suspended, mail waits with the reason and the fix; the PTR is back: mail goes."""
    repute, there = from_repute(case)
    wait_for(repute, "permitted", 60)
    good = zone_of(case).read_text()
    pointer = f"{room.SENDER.rsplit('.', 1)[1]} IN PTR"
    lost = "\n".join(line for line in good.splitlines() if not line.startswith(pointer)) + "\n"
    reload(case, lost.replace("( 1 60", "( 2 60"))
    row = wait_for(repute, "suspended", 120)
    assert row["check"].startswith("name.") and room.SENDER in row["why"], row
    with Raw("127.0.0.1", repute.port) as client:
        assert client.message("app@sender.example", ["box@receiver.example"], content())[0] == 250
    time.sleep(3)
    assert not there.messages()
    waiting = repute.json("queue", "list")["rows"]
    assert [r["state"] for r in waiting] == ["barred"] and "no permit" in waiting[0]["reason"], waiting
    assert len(repute.json("incidents", ok=None)) == 1
    reload(case, good.replace("( 1 60", "( 3 60"))
    wait_for(repute, "permitted", 120)
    there.wait(1, 60)
    assert repute.json("incidents") == []
