"""People who use a service while something is done to it: requests through the gateway."""

from __future__ import annotations

import asyncio
import threading
import time

import aiohttp


class Visitors(threading.Thread):
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
