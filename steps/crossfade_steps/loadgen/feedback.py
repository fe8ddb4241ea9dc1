"""Load whose rewards belong to the answers: predict, see which version answered, reward it.

Each prediction goes through the gateway at its due time, whatever the ones before it took.  The
version is read from a response header, and with that version's probability one reward of 1 is sent
to the deployment that answered (the executor's feedback path).  Counts go to a file every second.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from crossfade.spec.secrets import put_in

MOST_IN_FLIGHT = 200
OK_FROM, OK_TO = 200, 300


class Feedback:
    """One load: its settings, its counts, and its own random numbers."""

    def __init__(
        self, settings: dict[str, Any], counts: Path | None, seed: int | None = None
    ) -> None:
        self._settings, self._path = settings, counts
        self._headers = put_in(settings["headers"], _key_of(settings.get("key_variables") or {}))
        self._random = random.Random(seed)
        self._in_flight: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()
        self._started = 0.0

    async def run(self) -> None:
        """Send predictions until the process is ended."""
        timeout = aiohttp.ClientTimeout(total=10)
        connector = aiohttp.TCPConnector(limit=MOST_IN_FLIGHT)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            self._started = time.monotonic()
            next_report = self._started + 1
            sent = 0
            while True:
                due = self._started + sent / float(self._settings["qps"])
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sent += 1
                self._send(session)
                if time.monotonic() >= next_report:
                    next_report += 1 if self._path else 10
                    self.report()

    def _send(self, session: aiohttp.ClientSession) -> None:
        if len(self._in_flight) >= MOST_IN_FLIGHT:
            self.counts["skipped"] += 1
            return
        task = asyncio.create_task(self._predict(session))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _predict(self, session: aiohttp.ClientSession) -> None:
        settings = self._settings
        headers = {"Content-Type": "application/json", **self._headers}
        body = settings["payload"].encode()
        try:
            async with session.post(settings["url"], data=body, headers=headers) as answer:
                text = await answer.read()
                version = answer.headers.get(settings["header"], "none")
                good = OK_FROM <= answer.status < OK_TO
                self.counts[f"answers.{version}" if good else f"errors.{answer.status}"] += 1
            if good and self._random.random() < settings["rewards"].get(version, 0.0):
                await self._reward(session, version, text)
        except (aiohttp.ClientError, TimeoutError) as error:
            self.counts[f"errors.{type(error).__name__}"] += 1

    async def _reward(self, session: aiohttp.ClientSession, version: str, text: bytes) -> None:
        url = self._settings["feedback_urls"].get(version) or self._settings["feedback_url"]
        if url is None:
            self.counts[f"unrewarded.{version}"] += 1
            return
        try:
            body = json.dumps({"response": json.loads(text), "reward": 1.0}).encode()
        except ValueError:
            self.counts[f"unrewarded.{version}"] += 1
            return
        headers = {"Content-Type": "application/json", **self._credentials(url)}
        async with session.post(url, data=body, headers=headers) as answer:
            await answer.read()
            good = OK_FROM <= answer.status < OK_TO
            word = f"rewards.{version}" if good else f"reward-errors.{answer.status}"
            self.counts[word] += 1

    def _credentials(self, url: str) -> dict[str, str]:
        """Return the headers with a key of a Secret, for the host that they are meant for alone."""
        own, other = urlsplit(self._settings["url"]), urlsplit(url)
        if (own.scheme, own.netloc) != (other.scheme, other.netloc):
            return {}
        written = self._settings["headers"]
        return {name: self._headers[name] for name, text in written.items()
                if self._headers[name] != text}  # fmt: skip

    def report(self) -> None:
        """Write the counts, in one step; a container prints them instead."""
        text = json.dumps(dict(sorted(self.counts.items())))
        if self._path is None:
            print(text, flush=True)
            return
        temporary = self._path.with_suffix(".new")
        temporary.write_text(text)
        os.replace(temporary, self._path)


def _key_of(variables: Mapping[str, str]) -> Callable[[str], str]:
    """Return how a key's value is found: in the variable that the Secret was put into.

    What is no key of a Secret stays as it is written.
    """
    return lambda key: os.environ[variables[key]] if key in variables else f"${{{key}}}"


def main() -> None:
    """Run the load: settings from a file with counts to another, or as base64 in a container."""
    given = Path(sys.argv[1]) if len(sys.argv) > 2 else None
    text = base64.b64decode(sys.argv[1]) if given is None else given.read_bytes()
    counts = None if given is None else Path(sys.argv[2])
    asyncio.run(Feedback(json.loads(text), counts).run())


if __name__ == "__main__":
    main()
