"""`repute setup` as a new user runs it: an empty folder, a zone that takes DNS UPDATE, one command, and the clock."""
import os
import pathlib
import time

from kit import internet, receiver, room, seen, wide
from kit.case import needs, needs_room, wait_port

DOMAIN = "example.org"
ZONE, LAST = internet.reverse_zone(room.PUBLIC)


def hosts(names, address):
    """Zones of hosts of others."""
    return {name: f"@ IN A {address}\n" for name in names}


def certificate(case, names):
    """A certificate for all names, and the authority that the machine trusts."""
    paths = {name: case.folder / f"wide.{name}" for name in ("ca.crt", "ca.key", "crt", "key", "csr", "ext")}
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    case.run(["openssl", "req", "-x509", *new, "-days", "90", "-subj", "/CN=Authority of the test", "-out", paths["ca.crt"], "-keyout", paths["ca.key"]])
    paths["ext"].write_text("subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
    case.run(["openssl", "req", *new, "-subj", f"/CN={names[0]}", "-out", paths["csr"], "-keyout", paths["key"]])
    case.run(["openssl", "x509", "-req", "-in", paths["csr"], "-CA", paths["ca.crt"], "-CAkey", paths["ca.key"], "-CAcreateserial", "-days", "60",
              "-extfile", paths["ext"], "-out", paths["crt"]])
    return paths


def world(case):
    """Everything that a real net has: lists, well-known hosts, somebody who takes mail, and the new user's empty zones."""
    route = f'{internet.reversed_v4(room.PUBLIC)}.origin.asn.cymru.com'
    others = {"receiver.example": receiver.RECORDS, **hosts(wide.MAIL, room.NAMESERVER), **hosts(wide.WEB, room.CLIENT),
              route: '@ IN TXT "64500 | 125.42.17.0/24 | ZZ | test | 2015-03-01"\n'}
    own = {DOMAIN: "", ZONE: ""}
    net = internet.Internet(case, own, others, {room.RECEIVER: receiver.NAME})
    paths = certificate(case, [*wide.WEB, *wide.MAIL])
    case.start("wide", ["/usr/bin/python3", wide.__file__, room.CLIENT, paths["crt"], paths["key"]], there=True, roughly=True)
    truth = case.folder / "seen"
    truth.write_text("")
    case.start("big", ["/usr/bin/python3", seen.__file__, "mx.google.com", room.NAMESERVER, truth, paths["crt"], paths["key"]], there=True, roughly=True)
    wait_port(room.CLIENT, 443)
    there = receiver.Mailbox(case, domains=(DOMAIN,), tls=(paths["crt"], paths["key"]))
    return net, there, {**os.environ, "SSL_CERT_FILE": str(paths["ca.crt"])}


@needs_room
@needs("named", "nsupdate", "tsig-keygen", "postfix", "openssl")
def test_from_an_empty_folder_to_the_first_message_in_one_command(case):
    """Configuration, keys, records published by RFC 2136, a check without a failure, the first message delivered: under a minute."""
    net, there, environment = world(case)
    room.resolv(room.NAMESERVER)
    file = case.folder / "new" / "repute.toml"
    began = time.monotonic()
    said = case.run([case.binary, "--config", file, "setup", "--hostname", f"mail.{DOMAIN}", "--domain", DOMAIN, "--address", room.PUBLIC,
                     "--publish", "rfc2136", "--server", room.NAMESERVER, "--key-file", net.key_file, "--zone", DOMAIN, "--zone", ZONE,
                     # Somebody else takes the domain's own mail, as with most.
                     "--mx", receiver.NAME, "--to", "box@receiver.example", "--yes"], env=environment, ok=None)
    took = time.monotonic() - began
    assert "The first message is delivered" in said and "The first mail may leave now" in said, said
    assert "✗" not in said.partition("sending as")[2] and " ? " not in said.partition("sending as")[2], said
    [message] = there.wait(1)
    assert message["From"] == f"Repute <postmaster@{DOMAIN}>" and len(message.get_all("DKIM-Signature")) == 2, message.as_string()
    assert f"[{room.PUBLIC}]" in str(message.get_all("Received")[0]), message.as_string()
    print(f"        from nothing to the first message delivered: {took:.1f} s")
    assert took < 60, took
    # A second run changes nothing, and its message goes as well.
    text = file.read_text()
    said = case.run([case.binary, "--config", file, "setup", "--to", "box@receiver.example", "--yes", "--wait", "0s"], env=environment, ok=None)
    assert "The first message is delivered" in said and file.read_text() == text, said
    assert len(there.wait(2)) == 2


@needs_room
def test_without_any_resolver_it_shows_the_records_and_says_what_to_do(case):
    """A machine whose /etc/resolv.conf names nobody: keys, all records, the cure; and with the cure it goes from the roots."""
    pathlib.Path("/etc/resolv.conf").write_text("# nobody\n")
    file = case.folder / "new" / "repute.toml"
    words = ["--hostname", f"mail.{DOMAIN}", "--domain", DOMAIN, "--address", room.PUBLIC, "--yes", "--wait", "0s"]
    try:
        said = case.run([case.binary, "--config", file, "setup", *words], ok=(1,))
        assert "_domainkey" in said and "What only the hoster can do" in said and 'resolver = "own"' in said, said
        # Nobody answers as a root here.
        file.write_text(file.read_text() + f'[resolver]\nresolver = "own"\nroots = "{room.CLIENT}"\n')
        said = case.run([case.binary, "--config", file, "records", "--diff"], ok=(1,))
        assert "no root server answers" in said, said
    finally:
        room.resolv(room.NAMESERVER)
