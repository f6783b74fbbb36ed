"""The room that a run of the tests has for itself, if it runs as root.

The runner starts itself again in new process, mount and network namespaces. Ours is the side of
the sender: 203.0.113.10 and loopback. A second network, `internet`, hangs on the other end of a
virtual cable: the name server and the receivers live there. /etc and /run are the room's own
copies. Whatever runs or is mounted in the room is gone when it ends.
"""
import os
import pathlib
import subprocess
import sys

SENDER = "203.0.113.10"
#: An address of ours that no SPF record permits.
STRANGER = "203.0.113.66"
NAMESERVER = "198.51.100.53"
RECEIVER = "198.51.100.25"
#: An address of ours that is not one for documentation, so that a check of it can be green. It is the
#: one of the classic mistake, and leads nowhere: the room has no way out.
PUBLIC = "125.42.17.10"
#: A client somewhere else in the world.
CLIENT = "198.51.100.99"
#: The same two in IPv6, where the kernel has it.
SENDER6, RECEIVER6 = "2001:db8:203::10", "2001:db8:198::25"
#: The user that the server becomes; the room has it, whether or not the machine does.
SERVICE, SERVICE_ID = "repute", 62525

_INSIDE = "REPUTE_INTEROP_ROOM"
_internet = None
_ipv6 = False


def ipv6():
    """Whether the room has IPv6."""
    return _ipv6


def enter():
    """Goes into the room, where that may be done. Returns in the room, or outside of it."""
    if os.environ.get(_INSIDE):
        _furnish()
    elif os.geteuid() == 0 and _possible():
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        os.environ[_INSIDE] = "1"
        # A shell comes first in the room, since the first process has to bury orphans.
        os.execvp(words[0], words + ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, *sys.argv])
    else:
        why = "no namespaces may be made here" if os.geteuid() == 0 else "not root"
        print(f"*** {why.upper()}: tests that need addresses, users or ports of their own are skipped ***")


def _possible():
    probe = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--propagation", "private", "ip", "link", "set", "lo", "up"]
    return subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def inside():
    return _internet is not None


def at_internet(words):
    """The command that runs `words` on the other side of the cable."""
    return ["nsenter", f"--net=/proc/{_internet.pid}/ns/net", *words]


def resolv(address):
    """Whom everything in the room asks for names, from now on."""
    pathlib.Path("/etc/resolv.conf").write_text(f"nameserver {address}\noptions timeout:2 attempts:2\n")


def _ip(words, there=False):
    command = ["ip", *words.split()]
    subprocess.run(at_internet(command) if there else command, check=True)


def _furnish():
    global _internet
    _internet = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    ours = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{_internet.pid}/ns/net") == ours:
        if _internet.poll() is not None:
            sys.exit("no second network could be made")
    _ip("link set lo up")
    _ip("link add cable0 type veth peer name cable1")
    _ip(f"link set cable1 netns {_internet.pid}")
    for address in (SENDER, STRANGER, PUBLIC):
        _ip(f"addr add {address}/24 dev cable0")
    _ip("link set cable0 up")
    _ip("link set lo up", there=True)
    for address in (NAMESERVER, RECEIVER, CLIENT):
        _ip(f"addr add {address}/24 dev cable1", there=True)
    _ip("link set cable1 up", there=True)
    _ip(f"route add 198.51.100.0/24 dev cable0 src {SENDER}")
    for network in ("203.0.113.0/24", "125.42.17.0/24"):
        _ip(f"route add {network} dev cable1 src {RECEIVER}", there=True)
    _furnish_ipv6()
    # /run and /etc are the room's own from here on: nothing of the machine is touched.
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    os.mkdir("/run/etc")
    subprocess.run(["cp", "-a", "/etc/.", "/run/etc"], check=True)
    subprocess.run(["mount", "--bind", "/run/etc", "/etc"], check=True)
    os.mkdir("/etc/repute")
    pathlib.Path("/etc/resolv.conf").unlink(missing_ok=True)
    with open("/etc/passwd", "a") as users, open("/etc/group", "a") as groups:
        users.write(f"{SERVICE}:x:{SERVICE_ID}:{SERVICE_ID}::/nonexistent:/usr/sbin/nologin\n")
        groups.write(f"{SERVICE}:x:{SERVICE_ID}:\n")
    resolv(NAMESERVER)


def _furnish_ipv6():
    global _ipv6
    steps = [(f"-6 addr add {SENDER6}/64 dev cable0 nodad", False), (f"-6 addr add {RECEIVER6}/64 dev cable1 nodad", True),
             ("-6 route add 2001:db8:198::/64 dev cable0", False), ("-6 route add 2001:db8:203::/64 dev cable1", True)]
    try:
        for words, there in steps:
            _ip(words, there)
        _ipv6 = True
    except subprocess.CalledProcessError:
        print("NOTE: this kernel has no IPv6; nothing is sent over it")
