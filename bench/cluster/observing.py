"""What is looked at beside a run: its containers."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from cluster import Cluster

MI = 1024 * 1024


class Watched(threading.Thread):
    """Memory and CPU of a run's step containers, as the kubelet counts them."""

    def __init__(self, cluster: Cluster, run: str, seconds: float) -> None:
        super().__init__(daemon=True)
        self._cluster, self._run, self._seconds = cluster, run, seconds
        self._done = threading.Event()
        self.memory: list[tuple[float, float]] = []
        self.cpu: dict[str, float] = {}

    def run(self) -> None:
        """Look until told to stop."""
        node = "/api/v1/nodes/node1/proxy/stats/summary"
        while not self._done.wait(self._seconds):
            for pod in json.loads(self._cluster.kubectl("get", "--raw", node))["pods"]:
                name = pod["podRef"]["name"]
                if not name.startswith(self._run) or "-guard" in name or "-load-1-" in name:
                    continue
                for container in pod.get("containers", ()):
                    if container["name"] in ("main", "evaluate"):
                        self._note(name + container["name"], container)

    def _note(self, name: str, container: dict[str, Any]) -> None:
        memory = container.get("memory", {}).get("workingSetBytes")
        if memory:
            self.memory.append((time.time(), memory / MI))
        cpu = container.get("cpu", {}).get("usageCoreNanoSeconds")
        if cpu:
            self.cpu[name] = max(self.cpu.get(name, 0.0), cpu / 1e9)

    def stop(self) -> None:
        """Stop looking."""
        self._done.set()
        self.join(30)
