"""A registry on the node, a base image made from Debian's packages, and the project's images."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import time
import urllib.request
from pathlib import Path

import processes
from settings import ADDRESS, BIN, CACHE, REGISTRY, REPOSITORY, STATE, say
from shell import run, wait_until

from crossfade.version import VERSION

SUITE = "bookworm"
INCLUDED = "python3,python3-venv,ca-certificates,libgomp1"
BUILT = {
    "steps": ("constraints.txt", "pyproject.toml", "README.md", "LICENSE", "workflows/crossfade",
              "steps/crossfade_steps"),
    "executor": ("constraints.txt", "steps/crossfade_steps/embedded/executor.py"),
    "model-server": ("images/model-server", "scripts/train-iris",
                     "steps/crossfade_steps/embedded/servers"),
    "fortio": (),
}  # fmt: skip
CONFIG = f"""version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {CACHE}/registry}}
  delete: {{enabled: true}}
http: {{addr: "{ADDRESS}:5000"}}
"""
KNOWN = CACHE / "images.json"


def up() -> dict[str, str]:
    """Start the registry, build what has changed, and return IMAGE@DIGEST by name."""
    (STATE / "registry.yaml").write_text(CONFIG)
    log = processes.start("registry", ["docker-registry", "serve", STATE / "registry.yaml"])
    wait_until("the registry", _registry_answers, 30, log)
    known: dict[str, list[str]] = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    for name in ("pause", "argoexec", "busybox", *BUILT):
        content = _content(name)
        if known.get(name, ["", ""])[0] != content:
            known[name] = [content, _make(name)]
            KNOWN.write_text(json.dumps(known, indent=1))
    return {name: reference for name, (_, reference) in known.items()}


def _registry_answers() -> bool:
    try:
        with urllib.request.urlopen(f"http://{REGISTRY}/v2/", timeout=1):
            return True
    except OSError:
        return False


def _make(name: str) -> str:
    say(f"image {name} ...")
    begin = time.monotonic()
    reference = _project_image(name) if name in BUILT else _single_binary(name)
    say(f"image {name} built in {time.monotonic() - begin:.0f} s")
    return reference


def _content(name: str) -> str:
    """Return a digest of what an image is made from, so that a change builds it anew."""
    if name not in BUILT:
        path = Path("/bin/busybox") if name == "busybox" else BIN / name
        return f"{path.stat().st_size}-{REGISTRY}"
    digest = hashlib.sha256(REGISTRY.encode())
    for source in (f"images/{name}", *BUILT[name]):
        path = REPOSITORY / source
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(REPOSITORY)).encode() + file.read_bytes())
    return digest.hexdigest()


def _project_image(name: str) -> str:
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    flags = [
        "--isolation",
        "chroot",
        "--network",
        "host",
        "-v",
        f"{certificates}:{certificates}:ro",
    ]
    if Path("/etc/pip.conf").exists():
        flags += ["-v", "/etc/pip.conf:/etc/pip.conf:ro"]
    if name == "fortio":
        _fortio_binary()
    answer = run(
        REPOSITORY / "images" / "build", "-t", "buildah", "-b", base(), "-r", REGISTRY, name,
        BUILD_FLAGS=" ".join(flags), PUSH_FLAGS="--tls-verify=false",
    )  # fmt: skip
    reference = answer.split()[1]
    if name == "fortio":
        _publish(f"{reference.partition('@')[0]}:{VERSION}", "docker.io/fortio/fortio:latest")
    return reference


def _fortio_binary() -> None:
    """Take the binary that the embedded default uses, built by its set-up."""
    if not (CACHE.parent / "bin" / "fortio").exists():
        run(REPOSITORY / "scripts" / "setup-embedded")


def base() -> str:
    """Return the base image: Debian with Python, made once with debootstrap."""
    image = f"localhost/crossfade-base:{SUITE}"
    if image in run("buildah", "images", "--format", "{{.Name}}:{{.Tag}}"):
        return image
    say("base image from Debian's packages (about 2 minutes) ...")
    root = CACHE / "base"
    shutil.rmtree(root, ignore_errors=True)
    run("debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, root, _mirror())
    for junk in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man",
                 "usr/share/locale"):  # fmt: skip
        shutil.rmtree(root / junk, ignore_errors=True)
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "add", "--quiet", container, root, "/")
    run("buildah", "commit", "--quiet", "--rm", container, image)
    shutil.rmtree(root)
    return image


def _mirror() -> str:
    """Return the mirror that this machine installs Debian's own packages from.

    Other package sources (of Node, of a cloud) may come first in the files: apt is asked instead.
    """
    for line in run("apt-cache", "madison", "base-files").splitlines():
        found = re.search(rf"(http\S+) {SUITE}/main ", line)
        if found:
            return found[1]
    sys.exit(f"cluster: this machine's package sources have no Debian {SUITE}")


def _single_binary(name: str) -> str:
    """Make an image that holds one static binary."""
    container = run("buildah", "from", "scratch").strip()
    path = Path("/bin/busybox") if name == "busybox" else BIN / name
    run("buildah", "copy", "--quiet", container, path, f"/bin/{name}")
    if name == "busybox":
        run("buildah", "copy", "--quiet", container, path, "/bin/sh")
        run("buildah", "copy", "--quiet", container, path, "/bin/sleep")
    run("buildah", "config", "--entrypoint", json.dumps([f"/bin/{name}"]), "--env",
        "PATH=/bin", container)  # fmt: skip
    image = f"{REGISTRY}/{name}:1"
    run("buildah", "commit", "--quiet", "--rm", container, image)
    reference = _push(image, image)
    if name == "busybox":
        _publish(image, "docker.io/library/busybox:1.28")
    return reference


def _publish(image: str, name: str) -> None:
    """Offer an image under its public name: the node asks this registry for docker.io too."""
    _push(image, f"{REGISTRY}/{name.partition('/')[2]}")


def _push(image: str, target: str) -> str:
    digest = CACHE / "digest"
    run("buildah", "push", "--quiet", "--tls-verify=false", "--digestfile", digest, image,
        f"docker://{target}")  # fmt: skip
    return f"{target.rpartition(':')[0]}@{digest.read_text()}"
