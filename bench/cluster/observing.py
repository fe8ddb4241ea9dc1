"""What is looked at beside a run: its containers, and who answers at the gateway."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import aiohttp

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


class Probe(threading.Thread):
    """Requests at a steady rate through the gateway; keeps when and by whom each was answered."""

    def __init__(self, url: str, host: str, rate: float) -> None:
        super().__init__(daemon=True)
        self._url, self._host, self._rate = url, host, rate
        self._done = False
        self.answers: list[tuple[float, str, int]] = []

    def run(self) -> None:
        """Ask until told to stop."""
        asyncio.run(self._ask())

    async def _ask(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        connector = aiohttp.TCPConnector(limit=64)
        async with aiohttp.ClientSession(connector=connector) as session:
            due = time.monotonic()
            while not self._done:
                task = asyncio.create_task(self._one(session))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                due += 1 / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await asyncio.gather(*tasks)

    async def _one(self, session: aiohttp.ClientSession) -> None:
        sent = time.time()
        try:
            headers = {"Host": self._host}
            async with session.get(f"{self._url}/probe", headers=headers) as answer:
                await answer.read()
                version, status = answer.headers.get("version", "?"), answer.status
        except aiohttp.ClientError as error:
            version, status = type(error).__name__, 0
        self.answers.append((sent, version, status))

    def stop(self) -> None:
        """Stop asking."""
        self._done = True
        self.join(30)
