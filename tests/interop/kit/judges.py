"""Two filters that judge for many receivers, as their Debian packages have them: rspamd as a milter behind
Postfix, SpamAssassin over its own protocol with what Postfix delivered.

Left out is only what needs the internet of today or a memory: rspamd's fuzzy hashes and downloaded maps,
SpamAssassin's Pyzor and Razor, and what either has learnt (Bayes). Names are asked of the room's name server.
"""
import os
import re
import socket

from . import room
from .case import wait_port

RSPAMD_PORT, SPAMD_PORT = 11332, 7830
RSPAMD_FIELD = "X-Spamd-Result"


class Rspamd:
    """rspamd as a milter; what it found of a message stands in its field RSPAMD_FIELD."""

    milter = f"inet:{room.RECEIVER}:{RSPAMD_PORT}"

    def __init__(self, case):
        folder = case.folder / "rspamd"
        local = folder / "etc" / "local.d"
        for each in (local, folder / "data", folder / "run"):
            each.mkdir(parents=True)
        # Everything is delivered: it is the points that are looked at, not what becomes of the message.
        (local / "actions.conf").write_text("reject = 9000;\nadd_header = 8000;\ngreylist = 7000;\n")
        (local / "milter_headers.conf").write_text('use = ["x-spamd-result"];\nskip_local = false;\nskip_authenticated = false;\n')
        for name in ("fuzzy_check", "asn", "phishing", "neural", "greylist", "ratelimit", "replies", "history_redis"):
            (local / f"{name}.conf").write_text("enabled = false;\n")
        # The public suffixes of this room: all nine thousand take twenty seconds to compile.
        (folder / "suffixes").write_text("com\nnet\norg\nexample\n")
        # Domains for examples are among those that it never looks up on lists.
        (folder / "none").write_text("nothing.invalid\n")
        (folder / "etc" / "override.d").mkdir()
        (folder / "etc" / "override.d" / "rbl.conf").write_text(f'url_whitelist = ["{folder}/none"];\n')
        # What DNS said before a record was changed is not remembered.
        (local / "spf.conf").write_text("spf_cache_size = 0;\nmin_cache_ttl = 0;\n")
        (local / "dkim.conf").write_text("dkim_cache_size = 0;\n")
        (local / "options.inc").write_text(f"""
pidfile = "{folder}/run/rspamd.pid";
filters = "chartable,dkim,regexp";
disable_hyperscan = true;
url_tld = "{folder}/suffixes";
dns {{ nameserver = ["{room.NAMESERVER}"]; }}
""")
        (folder / "rspamd.conf").write_text(f"""
.include "$CONFDIR/common.conf"
options {{
    .include "$CONFDIR/options.inc"
    .include(priority=1,duplicate=merge) "$LOCAL_CONFDIR/local.d/options.inc"
}}
logging {{ type = "console"; .include "$CONFDIR/logging.inc" }}
worker "rspamd_proxy" {{
    bind_socket = "{room.RECEIVER}:{RSPAMD_PORT}";
    milter = yes;
    timeout = 60s;
    count = 1;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
""")
        words = ["rspamd", "-f", "-i", "-c", folder / "rspamd.conf"]
        variables = {"LOCAL_CONFDIR": f"{folder}/etc", "DBDIR": f"{folder}/data", "RUNDIR": f"{folder}/run", "LOGDIR": folder}
        words += [f"--var={name}={value}" for name, value in variables.items()]
        process = case.start("rspamd", words, there=True, roughly=True)
        wait_port(room.RECEIVER, RSPAMD_PORT, process=process)

    @staticmethod
    def symbols(message):
        """Symbol to points."""
        text = " ".join(str(message[RSPAMD_FIELD]).split())
        return {name: float(points) for name, points in re.findall(r"\b([A-Z][A-Z0-9_]+)\((-?\d+\.\d+)\)\[", text)}


class SpamAssassin:
    """spamd with Debian's rules."""

    def __init__(self, case):
        folder = case.folder / "spamassassin"
        folder.mkdir()
        case.run(["sh", "-c", f"cp /etc/spamassassin/*.pre {folder}"])
        (folder / "local.cf").write_text(f"""
dns_available yes
dns_server {room.NAMESERVER}
use_bayes 0
use_razor2 0
use_pyzor 0
add_header all Status _YESNO_ score=_SCORE_ tests=_TESTSSCORES_
""")
        words = ["/usr/sbin/spamd", "--nouser-config", "--max-children=1", "--syslog=stderr", f"--listen={room.RECEIVER}:{SPAMD_PORT}",
                 "--allowed-ips=0.0.0.0/0", f"--siteconfigpath={folder}", f"--helper-home-dir={folder}", f"--pidfile={folder}/spamd.pid"]
        process = case.start("spamd", words, there=True, roughly=True, env={**os.environ, "HOME": str(folder)})
        wait_port(room.RECEIVER, SPAMD_PORT, seconds=60, process=process)

    @staticmethod
    def symbols(octets):
        """Symbol to points, for the octets of a message as it was delivered."""
        with socket.create_connection((room.RECEIVER, SPAMD_PORT), 60) as s:
            s.sendall(b"HEADERS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(octets) + octets)
            s.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: s.recv(65536), b"")).decode(errors="replace")
        assert answer.startswith("SPAMD/") and " 0 EX_OK" in answer.splitlines()[0], answer
        status = re.search(r"^X-Spam-Status: (.*(?:\n[ \t].*)*)", answer, re.M)
        tests = re.sub(r"\s+", "", status[1]).partition("tests=")[2]
        return {name: float(points) for name, points in re.findall(r"([A-Z][A-Za-z0-9_]+)=(-?[\d.]+)", tests)}
