"""One network namespace with a wire to this machine."""

from __future__ import annotations

import os
import shutil
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
    for left in Path("/run/netns").glob("cni-*"):  # of pods whose end nobody was there to see
        if not attempt("ip", "netns", "pids", left.name).stdout.strip():
            attempt("ip", "netns", "delete", left.name)


def lacking() -> str:
    """Return what this machine lacks to carry a cluster, empty when it lacks nothing."""
    if os.geteuid() != 0:
        return "it takes root"
    for program in ("go", "apt-get"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    made = attempt("unshare", "--net", "--mount", "true")
    if made.returncode:
        return f"no network namespace can be made: {made.stderr.strip()}"
    return "" if os.access("/sys/fs/cgroup", os.W_OK) else "/sys/fs/cgroup cannot be written"
