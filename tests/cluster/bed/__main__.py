"""``python tests/cluster/bed up|down|status|build|able``: a one-node Kubernetes on this machine.

etcd, API server, kubelet, containerd, Argo Workflows, istiod with an Envoy gateway, Prometheus and
a stand-in for Seldon's operator, in one network namespace.  Safe to run twice, also after a crash.
"""

from __future__ import annotations

import json
import shutil
import sys
import time

import argo
import builds
import certificates
import control_plane
import images
import mesh
import monitoring
import network
import node
import processes
import seldon
from settings import KUBECONFIG, STATE, say
from shell import NotUp, kubectl


def up() -> None:
    """Build what is missing and start what does not run."""
    builds.prepare()
    begin = time.monotonic()
    try:
        _start()
    except NotUp as error:
        say(f"{error}\ncluster: starting once more")
        down()
        try:
            _start()
        except NotUp as again:
            sys.exit(f"cluster: {again}")
    say(f"up in {time.monotonic() - begin:.0f} s; export KUBECONFIG={KUBECONFIG}")


def _start() -> None:
    STATE.mkdir(parents=True, exist_ok=True)
    network.up()
    certificates.prepare()
    control_plane.up()
    built = images.up()
    node.up()
    for namespace in ("istio-system",):
        kubectl("apply", "--server-side", "-f", "-", text=_namespace(namespace))
    mesh.up()
    monitoring.up()
    argo.up(built["argoexec"])
    seldon.up(built)
    (STATE / "images.json").write_text(json.dumps(built, indent=1))


def _namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"


def down() -> None:
    """End every process and container, unmount, and remove the cluster's state."""
    for name in processes.names():
        if name != "containerd":
            processes.stop(name)
    node.clear()
    processes.stop("containerd")
    node.clear()
    network.down()
    shutil.rmtree(STATE, ignore_errors=True)
    say("down; binaries and images stay cached")


def able() -> None:
    """Exit with the reason when this machine cannot carry a cluster at all."""
    lacking = network.lacking()
    if lacking:
        sys.exit(f"cluster: not on this machine: {lacking}")


def status() -> None:
    """Print every part and whether it lives."""
    for name in sorted(processes.names()):
        print(f"{name:20} {'up' if processes.alive(name) else 'dead'}")


def main() -> None:
    """Do what the first word says."""
    commands = {"up": up, "down": down, "status": status, "build": builds.prepare,
                "able": able}  # fmt: skip
    word = sys.argv[1] if len(sys.argv) == 2 else ""
    if word not in commands:
        sys.exit(f"usage: python tests/cluster/bed {'|'.join(commands)}")
    commands[word]()


if __name__ == "__main__":
    main()
