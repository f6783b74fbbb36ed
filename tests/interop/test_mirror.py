"""`repute mirror`, sent to by other programs across a network, with a real name server."""
import json
import smtplib
import ssl

from kit import bind, room
from kit.case import needs, needs_room, wait_port

PORT = 2525
RECORDS = f"""mail IN A {room.SENDER}
@ IN MX 10 mail
@ IN TXT "v=spf1 ip4:{room.SENDER} -all"
_dmarc IN TXT "v=DMARC1; p=none"
"""


def mirror(case, *words):
    bind.Bind(case, bind.names({"sender.example": RECORDS}, {room.SENDER: "mail.sender.example"}))
    words = [case.binary, "mirror", "--listen", f"{room.RECEIVER}:{PORT}", "--resolver", f"{room.NAMESERVER}:53", "--json", "--no-lists", *words]
    process = case.start("mirror", words, there=True)
    wait_port(room.RECEIVER, PORT, process=process)
    return process


def reports(process):
    return [json.loads(line) for line in process.said().splitlines() if line.startswith("{")]


def outcome(report, check):
    return {f["outcome"] for f in report["findings"] if f["id"] == check}


@needs("swaks", "named")
@needs_room
def test_swaks_to_a_mirror(case):
    """swaks with TLS: names, SPF and DMARC are seen as they are, and the reply says so."""
    process = mirror(case, "--reply-report", "--count", "1")
    said = case.run(["swaks", "--server", room.RECEIVER, "--port", PORT, "--local-interface", room.SENDER, "--tls", "--ehlo", "mail.sender.example",
                     "--from", "a@sender.example", "--to", "b@anywhere.example"])
    assert "spf pass" in said and "Gmail" in said, said
    assert process.wait() == 0
    [report] = reports(process)
    assert report["ip"] == room.SENDER and report["tls"] and report["tls_used"].startswith("TLSv1_3"), report
    assert outcome(report, "name.fcrdns") == {"pass"} and outcome(report, "spf.pass.each") == {"pass"}, report["findings"]
    assert outcome(report, "dmarc.align") == {"pass"} and outcome(report, "dkim.sign.verify") == {"fail"}, report["findings"]


@needs("named")
@needs_room
def test_python_to_a_mirror(case):
    """smtplib in the clear and as a stranger: each thing that is wrong is told, and kept in the folder."""
    folder = case.folder / "kept"
    process = mirror(case, "--count", "2", "--folder", folder)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for tls in (False, True):
        with smtplib.SMTP(room.RECEIVER, PORT, local_hostname="localhost", source_address=(room.STRANGER, 0), timeout=60) as client:
            if tls:
                client.starttls(context=context)
            client.sendmail("a@sender.example", ["b@anywhere.example"], "From: a@sender.example\nFrom: x@sender.example\n\nhello\n")
    assert process.wait() == 0
    first, second = reports(process)
    assert not first["tls"] and second["tls"], (first["tls"], second["tls"])
    for check in ("msg.unique", "msg.id", "name.helo.fqdn", "spf.pass.each"):
        assert "fail" in outcome(first, check), (check, first["findings"])
    refuses = {r["receiver"] for r in first["receivers"] if r["decision"] == "refused"}
    assert {"Gmail", "Yahoo"} <= refuses, first["receivers"]
    assert json.loads((folder / "0002.json").read_text())["number"] == 2
    assert b"\r\nhello\r\n" in (folder / "0001.eml").read_bytes()
