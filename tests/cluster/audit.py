"""What a service account asked of the API, from the audit log, and what its rules allow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``name`` is empty for a list or a create."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource, for one name or for all."""

    namespace: str
    verb: str
    group: str
    resource: str
    name: str

    def __str__(self) -> str:
        named = "" if self.resource == "leases" else self.name  # a Lease's name is a digest
        return "-".join(filter(None, (self.verb, self.resource, named)))

    def allows(self, request: Request) -> bool:
        """Return whether this right is enough for a request."""
        asked = (request.namespace, request.verb, request.group, request.resource)
        own = (self.namespace, self.verb, self.group, self.resource)
        return asked == own and self.name in ("", request.name)


def rights_of(namespace: str, rules: Sequence[Rule]) -> list[Right]:
    """Return the single rights that rules give."""
    return [
        Right(namespace, verb, rule["apiGroups"][0], resource, name)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    ]


def requests(log: Path, account: str) -> set[Request]:
    """Return what an account asked for, leaving out what any account may ask."""
    return set(_read(log, account))


def _read(log: Path, account: str) -> Iterator[Request]:
    with log.open(encoding="utf-8") as file:
        for line in file:
            if account not in line:
                continue
            event = json.loads(line)
            place = event.get("objectRef")
            if event["user"]["username"] != account or place is None:
                continue
            if place.get("apiGroup") == "authorization.k8s.io":
                continue
            name = "" if event["verb"] in ("list", "create") else place.get("name", "")
            yield Request(
                event["verb"], place.get("apiGroup", ""), place["resource"],
                place.get("namespace", ""), name, event.get("responseStatus", {}).get("code", 0),
            )  # fmt: skip
