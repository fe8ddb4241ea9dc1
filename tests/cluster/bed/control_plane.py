"""etcd, the API server, the controller manager and the scheduler."""

from __future__ import annotations

import processes
from settings import ADDRESS, AUDIT, BIN, CERTIFICATES, PODS, SERVICES, STATE
from shell import attempt, wait_until

# What service accounts ask of the API, so that tests can compare it with what they may ask.
POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ["system:serviceaccounts:kube-system"]}
- {level: Metadata, userGroups: ["system:serviceaccounts"]}
- {level: None}
"""


def up() -> None:
    """Start them and wait until the API server is ready."""
    processes.start("etcd", [
        BIN / "etcd", "--data-dir", STATE / "etcd",
        "--listen-client-urls", "http://127.0.0.1:2379",
        "--advertise-client-urls", "http://127.0.0.1:2379",
        "--listen-peer-urls", "http://127.0.0.1:2380", "--unsafe-no-fsync",
    ])  # fmt: skip
    (STATE / "audit.yaml").write_text(POLICY)
    log = processes.start("apiserver", _api_server())
    wait_until("the API server", _ready, 90, log)
    for part, flags in _others().items():
        kubeconfig = STATE / f"{part}.kubeconfig"
        processes.start(part, [
            BIN / f"kube-{part}", f"--kubeconfig={kubeconfig}", "--leader-elect=false", *flags
        ])  # fmt: skip


def _ready() -> bool:
    return attempt(BIN / "kubectl", "get", "--raw", "/readyz").returncode == 0


def _api_server() -> list[str]:
    c = CERTIFICATES
    return [
        str(BIN / "kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={SERVICES}", "--secure-port=6443",
        "--bind-address=0.0.0.0", f"--advertise-address={ADDRESS}",
        f"--tls-cert-file={c}/apiserver.crt", f"--tls-private-key-file={c}/apiserver.key",
        f"--client-ca-file={c}/ca.crt", f"--service-account-key-file={c}/accounts.pub",
        f"--service-account-signing-key-file={c}/accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC", "--allow-privileged=true",
        f"--kubelet-client-certificate={c}/admin.crt", f"--kubelet-client-key={c}/admin.key",
        f"--kubelet-certificate-authority={c}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={STATE}/audit.yaml", f"--audit-log-path={AUDIT}",
        "--audit-log-maxsize=200",
    ]  # fmt: skip


def _others() -> dict[str, list[str]]:
    c = CERTIFICATES
    return {
        "controller-manager": [
            f"--service-account-private-key-file={c}/accounts.key",
            f"--root-ca-file={c}/ca.crt", "--use-service-account-credentials",
            f"--cluster-cidr={PODS}", "--allocate-node-cidrs",
            f"--cluster-signing-cert-file={c}/ca.crt",
            f"--cluster-signing-key-file={c}/ca.key",
        ],
        "scheduler": [],
    }  # fmt: skip
