"""Build every binary of the cluster from its Go module: cached, resumable, and told."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from settings import ARGO, BIN, COREDNS, ETCD, ISTIO, KUBERNETES, SOURCES, say
from shell import run

PACKAGES = {
    "containerd": "containerd", "runc": "runc", "buildah": "buildah", "debootstrap": "debootstrap",
    "iptables": "iptables", "prometheus": "prometheus", "docker-registry": "docker-registry",
    "/usr/lib/cni/bridge": "containernetworking-plugins", "/bin/busybox": "busybox-static",
    "ip": "iproute2", "openssl": "openssl", "conntrack": "conntrack",
}  # fmt: skip
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
ARGO_MODULE = "github.com/argoproj/argo-workflows/v4"
KUBE_PARTS = ("kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet",
              "kube-proxy")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Binary:
    """A program, about how many minutes its build takes on two cores, and the build."""

    name: str
    minutes: float
    build: Callable[[str], None]


def prepare() -> None:
    """Install Debian's parts and build what is missing, the longest told with its time."""
    if os.geteuid() != 0:
        sys.exit("cluster: it makes a network namespace and runs containerd: run it as root")
    _install_packages()
    missing = [binary for binary in BINARIES if not (BIN / binary.name).exists()]
    if missing:
        total = sum(binary.minutes for binary in missing)
        say(f"{len(missing)} binaries to build with Go, about {total:.0f} minutes the first time")
    BIN.mkdir(parents=True, exist_ok=True)
    for binary in missing:
        total = sum(b.minutes for b in missing[missing.index(binary) :])
        say(f"building {binary.name} ({total:.0f} minutes left) ...")
        begin = time.monotonic()
        binary.build(binary.name)
        say(f"{binary.name} built in {time.monotonic() - begin:.0f} s")


def module_folder(module: str, version: str) -> Path:
    """Return the folder of a Go module in the module cache."""
    answer = run("go", "mod", "download", "-json", f"{module}@{version}", cwd=_empty())
    return Path(json.loads(answer)["Dir"])


def _install_packages() -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    lacking = [
        package for program, package in PACKAGES.items() if not shutil.which(program, path=path)
    ]
    if not lacking:
        return
    say(f"installing {' '.join(lacking)} ...")
    policy = Path("/usr/sbin/policy-rc.d")
    own = not policy.exists()
    if own:  # no package starts a service of its own
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", **quiet)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *lacking, **quiet)
    finally:
        if own:
            policy.unlink()


def _empty() -> Path:
    SOURCES.mkdir(parents=True, exist_ok=True)
    return SOURCES


def _build(folder: Path, package: str, name: str, flags: str = "-s -w") -> None:
    """Build beside the target and rename: an interrupted build leaves nothing half-made."""
    new = BIN / f".{name}.new"
    run("go", "build", "-ldflags", flags, "-o", new, package, cwd=folder, **ENVIRONMENT)
    new.rename(BIN / name)


def _installed(package: str, version: str) -> Callable[[str], None]:
    def build(name: str) -> None:
        staging = BIN / ".staging"
        environment = {**ENVIRONMENT, "GOBIN": str(staging)}
        run("go", "install", "-ldflags", "-s -w", f"{package}@{version}", cwd=_empty(),
            **environment)  # fmt: skip
        (staging / name).rename(BIN / name)

    return build


def _kubernetes(name: str) -> None:
    """Build one part; k8s.io/kubernetes names its staging modules by path, so name versions."""
    folder = SOURCES / "kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "go.mod").exists():
        answer = run("go", "mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}",
                     cwd=folder)  # fmt: skip
        text = Path(json.loads(answer)["GoMod"]).read_text()
        staging = re.findall(r"^\s*(\S+) => \./staging/", text, re.MULTILINE)
        replaced = "\n".join(f"\t{m} => {m} v0.{KUBERNETES[2:]}" for m in staging)
        (folder / "go.mod").write_text(
            "module cluster/kubernetes\n\ngo 1.24.0\n\n"
            f"require k8s.io/kubernetes v{KUBERNETES}\n\nreplace (\n{replaced}\n)\n"
        )
    version = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.split(".")
    flags = (f"-s -w -X {version}.gitVersion=v{KUBERNETES} -X {version}.gitMajor={major} "
             f"-X {version}.gitMinor={minor}")  # fmt: skip
    _build(folder, f"k8s.io/kubernetes/cmd/{name}", name, flags)


def _etcd(name: str) -> None:
    folder = SOURCES / "etcd"
    folder.mkdir(parents=True, exist_ok=True)
    module = "go.etcd.io/etcd/server/v3"
    (folder / "go.mod").write_text(f"module cluster/etcd\n\ngo 1.24\n\nrequire {module} {ETCD}\n")
    _build(folder, module, name)


def _argo(name: str) -> None:
    """Build from a copy: the served module lacks two files that have a twin or need only be."""
    folder = SOURCES / "argo"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(module_folder(ARGO_MODULE, ARGO), folder)
        run("chmod", "-R", "u+w", folder)
        signals = folder / "workflow" / "executor" / "osspecific"
        shutil.copy(signals / "signal_darwin.go", signals / "signal_linux.go")
        page = folder / "ui" / "dist" / "app" / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<html></html>")
        (folder / ".ready").touch()
    _build(folder, f"./cmd/{name}", name)


def _pause(name: str) -> None:
    folder = SOURCES / "pause"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module cluster/pause\n\ngo 1.24\n")
    (folder / "main.go").write_text(PAUSE)
    _build(folder, ".", name)


PAUSE = """package main

import (
	"os"
	"os/signal"
	"syscall"
)

// The first process of every pod: it waits, and ends when it is told to.
func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
"""
BINARIES = (
    Binary("pause", 0.1, _pause),
    *(Binary(part, 5 if part == "kube-apiserver" else 1.5, _kubernetes) for part in KUBE_PARTS),
    Binary("etcd", 1.5, _etcd),
    Binary("workflow-controller", 3,
           _installed(f"{ARGO_MODULE}/cmd/workflow-controller", ARGO)),
    Binary("argoexec", 2, _argo),
    Binary("argo", 1, _argo),
    Binary("coredns", 5, _installed("github.com/coredns/coredns", COREDNS)),
    Binary("pilot-discovery", 8, _installed("istio.io/istio/pilot/cmd/pilot-discovery", ISTIO)),
)  # fmt: skip
