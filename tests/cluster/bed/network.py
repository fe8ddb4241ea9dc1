"""One network namespace with a wire to this machine."""

from __future__ import annotations

from pathlib import Path

from settings import ADDRESS, HOST_ADDRESS, NAMESPACE
from shell import INSIDE, attempt, run

WIRE = "cfhost"


def up() -> None:
    """Make the namespace unless it is there."""
    if Path(f"/run/netns/{NAMESPACE}").exists():
        return
    run("ip", "netns", "add", NAMESPACE)
    run(*INSIDE, "ip", "link", "set", "lo", "up")
    run(*INSIDE, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    run("ip", "link", "add", WIRE, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
    run("ip", "address", "add", f"{HOST_ADDRESS}/24", "dev", WIRE)
    run("ip", "link", "set", WIRE, "up")
    run(*INSIDE, "ip", "address", "add", f"{ADDRESS}/24", "dev", "eth0")
    run(*INSIDE, "ip", "link", "set", "eth0", "up")
    run(*INSIDE, "ip", "route", "add", "default", "via", HOST_ADDRESS)


def down() -> None:
    """End whatever still runs inside, and remove the namespace and the wire."""
    for pid in attempt("ip", "netns", "pids", NAMESPACE).stdout.split():
        attempt("kill", "-9", pid)  # left by a cluster whose process ids were lost
    attempt("ip", "link", "delete", WIRE)
    attempt("ip", "netns", "delete", NAMESPACE)
