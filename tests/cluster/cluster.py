"""A cluster as a test sees it: kubectl, crossfade's own commands, and waiting with a reason."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import light
import yaml

from crossfade_steps.cluster.kube import Kube, connect
from crossfade_steps.cluster.store import RunStore

REPOSITORY = Path(__file__).resolve().parents[2]


class Trouble(AssertionError):
    """A command or a wait that did not come out as it must."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Return both streams."""
        return f"{self.out}\n{self.err}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster; ``server`` is its Argo Server, ``gateway`` what this machine reaches it by."""

    kubeconfig: Path
    images: dict[str, str]
    server: str
    gateway: str
    bin: Path | None = None
    audit: Path | None = None
    kube: Kube = field(default_factory=connect)

    def run(self, *words: str | Path, text: str | None = None, seconds: float = 600) -> Result:
        """Run a command against this cluster."""
        path = os.pathsep.join(filter(None, [str(self.bin or ""), os.environ["PATH"]]))
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path,
                       "CROSSFADE_IMAGE": self.images["steps"], "COLUMNS": "200"}  # fmt: skip
        done = subprocess.run(
            [str(word) for word in words], input=text, capture_output=True, text=True,
            timeout=seconds, env=environment, cwd=REPOSITORY, check=False,
        )  # fmt: skip
        return Result(done.returncode, done.stdout, done.stderr)

    def kubectl(self, *words: str | Path, text: str | None = None) -> str:
        """Run kubectl and return what it printed.  Raises ``Trouble``."""
        result = self.run("kubectl", *words, text=text)
        if result.code:
            raise Trouble(f"kubectl {' '.join(map(str, words))}: {result.err}")
        return result.out

    def apply(self, *manifests: dict[str, Any], namespace: str) -> None:
        """Apply manifests in a namespace."""
        self.kubectl("apply", "-n", namespace, "-f", "-", text=yaml.safe_dump_all(manifests))

    def crossfade(self, *words: str | Path, seconds: float = 600) -> Result:
        """Run crossfade's command line."""
        return self.run(Path(sys.executable).with_name("crossfade"), *words, seconds=seconds)

    @contextlib.contextmanager
    def place(self, label: str) -> Iterator[Place]:
        """Give a namespace with the installation and the light server's program in it."""
        name = f"t-{label}-{uuid4().hex[:5]}"
        self.kubectl("create", "namespace", name)
        self.kubectl("apply", "-k", REPOSITORY / "install", "-n", name)
        self.apply(light.source(), namespace=name)
        try:
            yield Place(self, name)
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace of one test."""

    cluster: Cluster
    name: str

    def rollout(self, **options: Any) -> dict[str, Any]:
        """Return a light rollout of this namespace."""
        return light.rollout(self.name, self.cluster.images["executor"], **options)

    def write(self, folder: Path, document: dict[str, Any]) -> Path:
        """Write a rollout to a file."""
        path = folder / "rollout.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def grant(self, path: Path) -> list[dict[str, Any]]:
        """Give the service account what ``crossfade rights`` says, and return it."""
        result = self.cluster.crossfade("rights", path)
        if result.code:
            raise Trouble(result.err)
        self.cluster.kubectl("apply", "-f", "-", text=result.out)
        return list(yaml.safe_load_all(result.out))

    def prepare(self, folder: Path, **options: Any) -> Path:
        """Write a light rollout, give it its rights, and return its file."""
        path = self.write(folder, self.rollout(**options))
        self.grant(path)
        return path

    def submit(self, path: Path, *words: str) -> str:
        """Submit a rollout and return its run."""
        result = self.cluster.crossfade("submit", *words, path)
        if result.code:
            raise Trouble(result.text)
        return result.out.split()[1].rpartition("/")[2]

    def store(self, run: str) -> RunStore:
        """Return a run's state."""
        return RunStore(self.cluster.kube, self.name, run)

    def runs(self) -> list[str]:
        """Return the runs of this namespace, the oldest first."""
        found = self.cluster.kube.list("", "ConfigMap", self.name, "crossfade.dev/part=run")
        found.sort(key=lambda stored: str(stored["metadata"]["creationTimestamp"]))
        return [str(stored["metadata"]["name"]) for stored in found]

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return one object."""
        found: dict[str, Any] = json.loads(
            self.cluster.kubectl("get", kind, name, "-n", self.name, "-o", "json")
        )
        return found

    def names(self, kind: str) -> list[str]:
        """Return the names of the objects of a kind."""
        path = "jsonpath={.items[*].metadata.name}"
        return self.cluster.kubectl("get", kind, "-n", self.name, "-o", path).split()

    def weights(self) -> tuple[int, ...]:
        """Return the weights of ``web`` as they are now."""
        routes = self.get("virtualservice", "web")["spec"]["http"][0]["route"]
        return tuple(int(route.get("weight", 0)) for route in routes)

    def outcome(self, run: str, seconds: float = 300) -> dict[str, str]:
        """Wait for a run's outcome and return what ``<run>`` holds."""
        store = self.store(run)

        def ended() -> dict[str, str] | None:
            head = store.find() or {}
            return head if head.get("outcome") else None

        return until(ended, f"run {run} has an outcome", seconds, lambda: self.told(run))

    def iteration(self, run: str, k: int, seconds: float = 180) -> None:
        """Wait until iteration k of a run is decided."""
        store = self.store(run)
        until(
            lambda: int((store.find() or {}).get("iteration", "0")) >= k or None,
            f"iteration {k} of {run}", seconds, lambda: self.told(run),
        )  # fmt: skip

    def told(self, run: str) -> str:
        """Return what there is to say of a run that does not do what it should."""
        workflow = self.cluster.run("kubectl", "get", "workflow", run, "-n", self.name, "-o",
                                    "jsonpath={.status.phase} {.status.message}")  # fmt: skip
        pods = self.cluster.run("kubectl", "get", "pods", "-n", self.name)
        return f"{self.store(run).find()}\n{workflow.text}\n{pods.text}"


def until(
    ask: Callable[[], Any], what: str, seconds: float, told: Callable[[], str] = lambda: ""
) -> Any:
    """Ask twice a second until there is an answer, and return it.  Raises ``Trouble``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(0.5)
    raise Trouble(f"not within {seconds:.0f} s: {what}\n{told()}")
