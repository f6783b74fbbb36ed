"""A receiver as a careful postmaster runs it, at 198.51.100.25:25 for receiver.example.

Postfix asks policyd-spf, opendkim (verifying) and opendmarc (rejecting); what they found stands
in the Authentication-Results of the delivered message, in a Maildir.
"""
import email
import email.policy
import os
import pwd
import re
import shutil

from . import room
from .case import wait_for, wait_port
from .postfix import Postfix

NAME = "mx.receiver.example"
#: Records that go with it.
RECORDS = f"@ IN MX 10 mx\nmx IN A {room.RECEIVER}\n@ IN A {room.RECEIVER}\n@ IN TXT \"v=spf1 mx -all\"\n"


class Mailbox:
    """Postfix for receiver.example and `domains`, which delivers everything to one Maildir; `tls` is certificate and key,
    `main` and `master` are further lines of its files."""

    def __init__(self, case, domains=(), tls=None, main="", master=""):
        self.case = case
        self.mail = case.folder / "mail"
        self.mail.mkdir()
        nobody = pwd.getpwnam("nobody")
        shutil.chown(self.mail, "nobody")
        if room.ipv6():
            master += f"[{room.RECEIVER6}]:25 inet n - n - - smtpd\n"
        main = f"""
myhostname = {NAME}
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = all
virtual_mailbox_domains = receiver.example, {', '.join(domains)}
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{nobody.pw_uid}
virtual_gid_maps = static:{nobody.pw_gid}
virtual_minimum_uid = 1
message_size_limit = 0
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_relay_restrictions = reject_unauth_destination
{main}"""
        if tls:
            main += f"smtpd_tls_cert_file = {tls[0]}\nsmtpd_tls_key_file = {tls[1]}\n"
        # The line from the base is overridden by a later one.
        main += "smtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\n" if tls else ""
        self.postfix = Postfix(case, "receiver", f"{room.RECEIVER}:25", main, master)

    def files(self):
        """Every delivered message's file, in order of delivery."""
        new = self.mail / "box" / "new"
        return sorted(new.iterdir(), key=lambda f: f.stat().st_mtime_ns) if new.exists() else []

    def messages(self):
        """Every delivered message, parsed, in order of delivery."""
        return [email.message_from_bytes(f.read_bytes(), policy=email.policy.default) for f in self.files()]

    def wait(self, count=1, seconds=30):
        """The messages, once there are `count`."""
        return wait_for(f"{count} messages at the receiver", lambda: (m := self.messages()) and len(m) >= count and m, seconds)


class Receiver(Mailbox):
    """A Mailbox behind policyd-spf, opendkim and opendmarc."""

    def __init__(self, case, domains=(), tls=None):
        self.case = case
        folder = case.folder / "receiver-etc"
        folder.mkdir()
        folder.chmod(0o755)
        self._opendkim(folder)
        self._opendmarc(folder)
        (folder / "spf.conf").write_text(
            f"debugLevel = 1\nTestOnly = 1\nHELO_reject = False\nMail_From_reject = False\n"
            f"PermError_reject = False\nTempError_Defer = False\nskip_addresses = 127.0.0.0/8\n"
            f"Header_Type = AR\nAuthserv_Id = {NAME}\n")
        master = f"""
spf unix - n n - 0 spawn
    user=nobody argv=/usr/bin/python3 /usr/bin/policyd-spf {folder}/spf.conf
"""
        main = """
smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/spf
smtpd_milters = inet:127.0.0.1:8891, inet:127.0.0.1:8893
milter_default_action = tempfail
spf_time_limit = 3600s
"""
        super().__init__(case, domains, tls, main, master)

    def _opendkim(self, folder):
        (folder / "opendkim.conf").write_text(
            f"Syslog no\nMode v\nAuthservID {NAME}\nSocket inet:8891@127.0.0.1\nNameservers {room.NAMESERVER}\n"
            f"InternalHosts 127.0.0.1\nAlwaysAddARHeader yes\nOn-BadSignature accept\nOn-KeyNotFound accept\n")
        self.opendkim = self.case.start("opendkim-verify", ["/usr/sbin/opendkim", "-f", "-x", folder / "opendkim.conf"], there=True, roughly=True)

    def _opendmarc(self, folder):
        (folder / "opendmarc.conf").write_text(
            f"Syslog false\nAuthservID {NAME}\nTrustedAuthservIDs {NAME}\nSocket inet:8893@127.0.0.1\n"
            f"RejectFailures true\nIgnoreAuthenticatedClients false\nSPFSelfValidate false\n"
            f"RequiredHeaders true\nBackground false\n")
        self.opendmarc = self.case.start("opendmarc", ["/usr/sbin/opendmarc", "-f", "-c", folder / "opendmarc.conf"], there=True, roughly=True)


def verdicts(message):
    """All methods and results of the receiver's Authentication-Results, as `[(method, result, properties)]`."""
    found = []
    for field in message.get_all("Authentication-Results", []):
        text = re.sub(r"\([^()]*\)", "", str(field)).replace("\n", " ")
        name, _, rest = text.partition(";")
        if name.split()[:1] != [NAME]:
            continue
        for part in rest.split(";"):
            match = re.match(r"\s*(\w+)=(\w+)(.*)", part, re.S)
            if match:
                found.append((match[1], match[2], " ".join(match[3].split())))
    return found
