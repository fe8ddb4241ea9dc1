"""The one node: containerd, the kubelet, kube-proxy and DNS."""

from __future__ import annotations

import json
from pathlib import Path

import processes
from settings import (
    ADDRESS,
    BIN,
    CERTIFICATES,
    CONTAINERD_SOCKET,
    CONTAINERD_STATE,
    DNS,
    PODS,
    REGISTRY,
    STATE,
)
from shell import apply, attempt, kubectl, wait_until

NETWORK = {
    "cniVersion": "0.4.0",
    "name": "crossfade",
    "plugins": [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True,
         "hairpinMode": True,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]],
                  "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}  # fmt: skip
CONTAINERD = f"""version = 2
root = "{STATE}/containerd"
state = "{CONTAINERD_STATE}"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{REGISTRY}/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{STATE}/registries"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{STATE}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
HOSTS = f"""server = "http://{REGISTRY}"
[host."http://{REGISTRY}"]
  capabilities = ["pull", "resolve"]
"""
KUBELET = f"""apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  x509: {{clientCAFile: {CERTIFICATES}/ca.crt}}
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
authorization: {{mode: Webhook}}
clusterDNS: ["{DNS}"]
clusterDomain: cluster.local
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix://{CONTAINERD_SOCKET}
tlsCertFile: {CERTIFICATES}/kubelet.crt
tlsPrivateKeyFile: {CERTIFICATES}/kubelet.key
evictionHard: {{memory.available: 100Mi}}
imageGCHighThresholdPercent: 100
registryPullQPS: 100
syncFrequency: 10s
resolvConf: /dev/null
maxPods: 250
"""
COREFILE = f""".:53 {{
    bind {ADDRESS}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {STATE}/admin.kubeconfig crossfade
        ttl 5
    }}
    cache 5
}}
"""
DNS_SERVICE = f"""apiVersion: v1
kind: Service
metadata: {{name: kube-dns, namespace: kube-system}}
spec:
  clusterIP: {DNS}
  ports:
  - {{name: dns, port: 53, protocol: UDP}}
  - {{name: dns-tcp, port: 53, protocol: TCP}}
---
apiVersion: v1
kind: Endpoints
metadata: {{name: kube-dns, namespace: kube-system}}
subsets:
- addresses: [{{ip: {ADDRESS}}}]
  ports:
  - {{name: dns, port: 53, protocol: UDP}}
  - {{name: dns-tcp, port: 53, protocol: TCP}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: kube-proxy}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:node-proxier"}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:kube-proxy"}}]
"""


def up() -> None:
    """Start the node and wait until it is ready."""
    _write("cni/10-bridge.conflist", json.dumps(NETWORK))
    _write("containerd.toml", CONTAINERD)
    _write("kubelet.yaml", KUBELET)
    _write("Corefile", COREFILE)
    for registry in (REGISTRY, "docker.io"):
        _write(f"registries/{registry}/hosts.toml", HOSTS)
    log = processes.start("containerd", ["containerd", "-c", STATE / "containerd.toml"])
    wait_until("containerd", _containerd_answers, 30, log)
    apply(DNS_SERVICE)
    processes.start("proxy", [
        BIN / "kube-proxy", f"--kubeconfig={STATE}/proxy.kubeconfig", "--proxy-mode=iptables",
        f"--cluster-cidr={PODS}", "--hostname-override=node1", "--conntrack-max-per-core=0",
    ])  # fmt: skip
    log = processes.start("kubelet", [
        BIN / "kubelet", f"--config={STATE}/kubelet.yaml",
        f"--kubeconfig={STATE}/kubelet.kubeconfig", f"--root-dir={STATE}/kubelet",
        "--hostname-override=node1", f"--node-ip={ADDRESS}",
    ])  # fmt: skip
    processes.start("coredns", [BIN / "coredns", "-conf", STATE / "Corefile"])
    wait_until("the node", _node_ready, 60, log)


def _write(name: str, text: str) -> None:
    path = STATE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _containerd_answers() -> bool:
    return attempt("ctr", "-a", CONTAINERD_SOCKET, "version").returncode == 0


def _node_ready() -> bool:
    path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    return kubectl("get", "nodes", "-o", path).strip() == "True"


def clear() -> None:
    """End what containers are left and unmount what they had mounted."""
    for pid in _shims():
        attempt("kill", "-9", str(pid))
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    ours = [m for m in mounts if m.startswith((f"{STATE}/", f"{CONTAINERD_STATE}/"))]
    for mount in sorted(ours, key=len, reverse=True):
        attempt("umount", "-l", mount)


def _shims() -> list[int]:
    """Return the containers' minders and, before them, what they mind."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if CONTAINERD_SOCKET.encode() in words and b"containerd-shim" in words[0]:
            pid = int(folder.name)
            found += [*_children(pid), pid]
    return found


def _children(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in children]
