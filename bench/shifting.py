"""Weights moved a hundred times under load, behind the real gateway."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import aiohttp

from crossfade.spec.rollout import Bundle
from crossfade_steps.clock import SystemClock
from crossfade_steps.deploy import parse_name, wait_until_ready
from crossfade_steps.embedded.world import World
from crossfade_steps.routers.objects import ObjectRouter

RATE = 200
CHANGES = 100
SECONDS_EACH = 1.0
SETTLE_SECONDS = 0.2
STEPS = (0, 5, 15, 25, 35, 50, 65, 75, 85, 95, 100)
PAYLOAD = b'{"data": {"ndarray": [[6.8, 2.8, 4.8, 1.4]]}}'
HEADERS = {"Host": "iris.example.com", "Content-Type": "application/json"}
Answer = tuple[float, str]


def shift_under_load(bundle: Bundle, folder: Path, show: Callable[[str, str], None]) -> None:
    """Print failed requests, and the observed split against the set one."""
    with World(folder, {}) as world:
        for manifest in bundle.deploy:
            world.objects.apply(manifest)
        for namespace in ("ns-baseline", "ns-candidate"):
            key = parse_name(f"SeldonDeployment/{namespace}/iris")
            wait_until_ready([key], world, SystemClock(), timeout_seconds=120)
        router = ObjectRouter(bundle.experiment, world.objects)
        answers, failures, changes = asyncio.run(_load(world, router))
    _tell(answers, failures, changes, show)


async def _load(
    world: World, router: ObjectRouter
) -> tuple[list[Answer], Counter[str], list[tuple[float, int]]]:
    answers: list[Answer] = []
    failures: Counter[str] = Counter()
    changes: list[tuple[float, int]] = []
    stop = asyncio.Event()
    url = f"{world.gateway.url}/api/v1.0/predictions"
    connector = aiohttp.TCPConnector(limit=100)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def ask() -> None:
            sent = time.monotonic()
            try:
                async with session.post(url, data=PAYLOAD, headers=HEADERS) as answer:
                    await answer.read()
                    if answer.status == 200:
                        answers.append((sent, answer.headers["version"]))
                    else:
                        failures[str(answer.status)] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                failures[type(error).__name__] += 1

        async def send() -> None:
            start, sent = time.monotonic(), 0
            tasks = set()
            while not stop.is_set():
                await asyncio.sleep(max(0.0, start + sent / RATE - time.monotonic()))
                sent += 1
                task = asyncio.create_task(ask())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)

        sender = asyncio.create_task(send())
        rng = random.Random(1)
        for _ in range(CHANGES):
            weight = rng.choice(STEPS)
            weights = {"iris-v1": 100 - weight, "iris-v2": weight}
            await asyncio.to_thread(lambda w=weights: router.write(router.read(), w))
            changes.append((time.monotonic(), weight))
            await asyncio.sleep(SECONDS_EACH)
        stop.set()
        await sender
    return answers, failures, changes


def _tell(
    answers: list[Answer],
    failures: Counter[str],
    changes: list[tuple[float, int]],
    show: Callable[[str, str], None],
) -> None:
    by_weight: dict[int, list[bool]] = {}
    ends = [at for at, _ in changes[1:]] + [float("inf")]
    for (begin, weight), end in zip(changes, ends, strict=True):
        inside = [v for at, v in answers if begin + SETTLE_SECONDS <= at < end]
        by_weight.setdefault(weight, []).extend(v == "iris-v2" for v in inside)
    total = len(answers) + sum(failures.values())
    show(f"{len(changes)} changes of weights under {RATE} requests a second",
         f"{sum(failures.values())} of {total} failed {dict(failures) or ''}")  # fmt: skip
    errors = []
    for weight, seen in sorted(by_weight.items()):
        share = 100 * statistics.mean(seen)
        errors.append(abs(share - weight))
        show(f"  candidate set to {weight} %", f"observed {share:.1f} % of {len(seen)}")
    show("  largest difference between observed and set split", f"{max(errors):.1f} points")
