"""How far apart scrapes are, as the first step measured it and later ones go by it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from crossfade.errors import CrossfadeError
from crossfade.spec.rollout import Bundle
from crossfade_steps.cluster.store import RunStore

SCRAPE = "scrape"
"""Where ``<run>`` holds it, in seconds."""


def measured(store: RunStore) -> float | None:
    """Return how far apart the first step found scrapes to be (seconds), None where it did not."""
    with suppress(CrossfadeError, ValueError):  # an older release's run has none
        return float((store.find() or {}).get(SCRAPE, ""))
    return None


def scraped(bundle: Bundle, scrape: float | None) -> Mapping[str, Any]:
    """Return the settings of Prometheus, with the scrapes' measure where they do not say it."""
    stated = bundle.prometheus.get("scrape_interval")
    if stated or scrape is None:
        return bundle.prometheus
    return {**bundle.prometheus, "scrape_interval": scrape}
