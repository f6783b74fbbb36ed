"""Postfix as its Debian package has it, in instances of their own: own folders, no chroot."""
import pathlib
import re
import shutil

from .case import wait_for, wait_port

SHARE = pathlib.Path("/usr/share/postfix")


class Postfix:
    """An instance that listens at `listen` (address:port), in the other network if `there`."""

    def __init__(self, case, name, listen, main, master="", there=True):
        self.case, self.there = case, there
        self.folder = case.folder / name
        self.etc, self.queue, data = (self.folder / n for n in ("etc", "queue", "data"))
        for folder in (self.etc, self.queue, data):
            folder.mkdir(parents=True)
            folder.chmod(0o755)
        self.folder.chmod(0o755)
        shutil.chown(data, "postfix")
        for file in ("dynamicmaps.cf", "post-install", "postfix-files"):
            if (pathlib.Path("/etc/postfix") / file).exists():
                shutil.copy(f"/etc/postfix/{file}", self.etc)
        services = (SHARE / "master.cf.dist").read_text()
        services = re.sub(r"^smtp\s+inet .*$", f"{listen} inet n - n - - smtpd", services, flags=re.M)
        services = re.sub(r"^(\S+\s+(?:unix|unix-dgram|inet|fifo)\s+\S+\s+\S+\s+)y", r"\1n", services, flags=re.M)
        if "\npostlog" not in services:
            services += "postlog unix-dgram n - n - 1 postlogd\n"
        (self.etc / "master.cf").write_text(services + master)
        (self.etc / "main.cf").write_text(f"""compatibility_level = 3.6
config_directory = {self.etc}
queue_directory = {self.queue}
data_directory = {data}
maillog_file = {self.folder}/{name}.log
maillog_file_prefixes = {self.folder}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
alias_maps =
mydestination =
local_transport = error:nobody lives here
smtpd_peername_lookup = yes
smtp_tls_security_level = none
{main}""")
        self.log = self.folder / f"{name}.log"
        case.run(["postfix", "-c", self.etc, "start"], there=there)
        case.defer(self.stop)
        host, port = listen.rsplit(":", 1)
        wait_port(host, int(port))

    def stop(self):
        self.case.run(["postfix", "-c", self.etc, "stop"], there=self.there, ok=None)
        pid = self.queue / "pid" / "master.pid"
        wait_for("Postfix's master has ended", lambda: not _lives(pid), 20)


def _lives(file):
    try:
        return pathlib.Path(f"/proc/{file.read_text().strip()}").exists()
    except OSError:
        return False
