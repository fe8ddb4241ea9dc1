"""A certificate authority for one cluster, and a kubeconfig for each of its parts."""

from __future__ import annotations

from settings import ADDRESS, CERTIFICATES, STATE
from shell import run

SERVER_NAMES = (f"IP:127.0.0.1,IP:{ADDRESS},IP:10.96.0.1,DNS:localhost,DNS:kubernetes,"
                "DNS:kubernetes.default,DNS:kubernetes.default.svc")  # fmt: skip
PARTS = {
    "apiserver": ("/CN=kube-apiserver", SERVER_NAMES),
    "admin": ("/O=system:masters/CN=admin", "DNS:admin"),
    "controller-manager": ("/CN=system:kube-controller-manager", "DNS:controller-manager"),
    "scheduler": ("/CN=system:kube-scheduler", "DNS:scheduler"),
    "kubelet": ("/O=system:nodes/CN=system:node:node1", f"DNS:node1,IP:{ADDRESS}"),
    "proxy": ("/CN=system:kube-proxy", "DNS:proxy"),
}
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: crossfade, cluster: {{server: "https://{address}:6443",
  certificate-authority: {folder}/ca.crt}}}}]
users: [{{name: user, user: {{client-certificate: {folder}/{part}.crt,
  client-key: {folder}/{part}.key}}}}]
contexts: [{{name: crossfade, context: {{cluster: crossfade, user: user}}}}]
current-context: crossfade
"""


def prepare() -> None:
    """Make what is missing."""
    CERTIFICATES.mkdir(parents=True, exist_ok=True)
    authority = CERTIFICATES / "ca.crt"
    if not authority.exists():
        _openssl("genrsa", "-out", "accounts.key", "2048")
        _openssl("rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub")
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key",
                 "-out", "ca.crt", "-subj", "/CN=crossfade-test", "-days", "365")  # fmt: skip
    for part, (subject, names) in PARTS.items():
        if not (STATE / f"{part}.kubeconfig").exists():
            _certificate(part, subject, names)
            text = KUBECONFIG.format(address=ADDRESS, folder=CERTIFICATES, part=part)
            (STATE / f"{part}.kubeconfig").write_text(text)


def _certificate(part: str, subject: str, names: str) -> None:
    extensions = f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
    (CERTIFICATES / f"{part}.ext").write_text(extensions)
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{part}.key",
             "-out", f"{part}.csr", "-subj", subject)  # fmt: skip
    _openssl("x509", "-req", "-in", f"{part}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
             "-CAcreateserial", "-out", f"{part}.crt", "-days", "365",
             "-extfile", f"{part}.ext")  # fmt: skip


def _openssl(*words: str) -> None:
    run("openssl", *words, cwd=CERTIFICATES)
