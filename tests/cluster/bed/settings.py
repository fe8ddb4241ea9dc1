"""Names, versions, addresses and folders of the test cluster."""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossfade" / "cluster"
BIN = CACHE / "bin"
SOURCES = CACHE / "src"
STATE = CACHE / "state"
LOGS = STATE / "logs"
CERTIFICATES = STATE / "certificates"
KUBECONFIG = STATE / "admin.kubeconfig"
AUDIT = STATE / "audit.log"

KUBERNETES = "1.34.4"
ARGO = "v4.0.5"
ETCD = "v3.6.16"
ISTIO = "v0.0.0-20260827124520-eed52ebb66ad"
COREDNS = "v1.14.4"

NAMESPACE = "crossfade"  # the network namespace: all traffic of the cluster stays inside it
ADDRESS = "10.250.0.1"
HOST_ADDRESS = "10.250.0.254"
SERVICES, PODS, DNS = "10.96.0.0/16", "10.244.0.0/16", "10.96.0.10"
REGISTRY = f"{ADDRESS}:5000"
CONTAINERD_SOCKET = "/run/crossfade-containerd.sock"
CONTAINERD_STATE = "/run/crossfade-containerd"


def say(text: str) -> None:
    """Tell what is going on; progress belongs to stderr."""
    print(f"cluster: {text}", file=sys.stderr, flush=True)
