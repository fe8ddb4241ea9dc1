"""A light model server: says which version it is, counts, errs and rewards as it is told.

Environment: ``VERSION``; ``ERRORS`` and ``REWARD``, fractions of requests; ``ERRORS_AFTER``,
seconds before the first error; ``TOKEN``, which a request must bear; ``PORT``.
"""

from __future__ import annotations

import os
import random
import time

from aiohttp import web
from prometheus_client import REGISTRY, Counter, Histogram, generate_latest

VERSION = os.environ.get("VERSION", "v1")
ERRORS, REWARD = float(os.environ.get("ERRORS", "0")), float(os.environ.get("REWARD", "0.5"))
TOKEN = os.environ.get("TOKEN", "")
BEGIN, ERRORS_AFTER = time.monotonic(), float(os.environ.get("ERRORS_AFTER", "0"))
REQUESTS = Counter("echo_requests", "Requests answered", ["code"])
REWARDS = Counter("echo_reward", "Rewards earned")
SECONDS = Histogram("echo_seconds", "Time to an answer", buckets=(0.005, 0.05, 0.1, 0.5, 1))


async def answer(request: web.Request) -> web.Response:
    """Answer with the version as a header; the kubelet's probes are not counted."""
    if request.path == "/ready":
        return web.Response()
    begin = time.monotonic()
    await request.read()
    errs = begin - BEGIN >= ERRORS_AFTER and random.random() < ERRORS
    known = not TOKEN or request.headers.get("Authorization") == f"Bearer {TOKEN}"
    status = 401 if not known else 500 if errs else 200
    REQUESTS.labels(str(status)).inc()
    if random.random() < REWARD:
        REWARDS.inc()
    SECONDS.observe(time.monotonic() - begin)
    return web.json_response({"version": VERSION}, status=status, headers={"version": VERSION})


FILES: dict[str, bytes] = {}


async def keep(request: web.Request) -> web.Response:
    """Keep what is put, as a store of artifacts does."""
    FILES[request.path] = await request.read()
    return web.Response(status=201)


async def files(request: web.Request) -> web.Response:
    """Answer with everything that was put."""
    return web.Response(body=b"".join(FILES.values()))


async def metrics(request: web.Request) -> web.Response:
    """Answer Prometheus."""
    return web.Response(body=generate_latest(REGISTRY), content_type="text/plain")


def main() -> None:
    """Serve until told to go."""
    REQUESTS.labels("200")
    REQUESTS.labels("500")
    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_put("/{path:.*}", keep)
    app.router.add_get("/files", files)
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, port=int(os.environ.get("PORT", "8080")), print=None, access_log=None)


if __name__ == "__main__":
    main()
