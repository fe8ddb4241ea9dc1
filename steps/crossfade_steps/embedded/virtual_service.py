"""Istio's VirtualService as Envoy's routes: what the embedded default understands of it.

Pure functions.  A field that is not understood is refused by name instead of being left out:
a rule without its match would send traffic where its author did not want it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from crossfade.errors import SpecError
from crossfade.spec.source import listed, mapped

Config = dict[str, Any]
Address = tuple[str, int]
Manifest = Mapping[str, Any]

_SPEC = {"hosts", "gateways", "http", "exportTo"}
_RULE = {"name", "match", "route", "timeout", "retries", "rewrite", "headers", "mirror",
         "mirrorPercentage"}  # fmt: skip
_MATCH = {"name", "uri", "ignoreUriCase", "method", "headers", "withoutHeaders", "queryParams"}
_ROUTE = {"destination", "weight", "headers"}
_DESTINATION = {"host", "port"}
_TEXT = {"exact", "prefix", "regex"}
_HEADERS = {"request", "response"}
_HEADER_OPERATIONS = {"set", "add", "remove"}
_RETRIES = {"attempts", "perTryTimeout", "retryOn"}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|m|s)")
_UNITS = {"h": "3600", "m": "60", "s": "1", "ms": "0.001", "us": "0.000001"}
_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,reset-before-request"
_OVERWRITE, _APPEND = "OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD"
HINT = "the embedded default does not play it; crossfade compile makes the workflow for a cluster"


def routes(virtual_service: Manifest) -> list[Config]:
    """Return the routes in order.  Raises ``SpecError`` naming what is not understood."""
    return _Reader(virtual_service).routes()


def hosts(virtual_service: Manifest) -> list[str]:
    """Return the domains, in lower case."""
    return [str(host).lower() for host in listed(virtual_service, ("spec", "hosts"))] or ["*"]


def destination(value: Manifest, namespace: str) -> Address:
    """Return a destination's (service.namespace, port); short hosts get the namespace."""
    port = mapped(value, ("port",)).get("number", 80)
    return service_host(str(value.get("host", "")), namespace), int(port)


def service_host(host: str, namespace: str) -> str:
    """Return ``service.namespace`` for any of a Service's names."""
    parts = host.split(".")
    return f"{parts[0]}.{parts[1] if len(parts) > 1 else namespace}"


def cluster_name(address: Address) -> str:
    """Return the cluster's name."""
    return f"{address[0]}:{address[1]}"


def action(weighted: Sequence[Config]) -> Config:
    """Return a route action with Istio's defaults: no timeout, and retries that cannot harm.

    Only what never reached a model is sent again.
    """
    retries = {"retry_on": _RETRY_ON, "num_retries": 2}
    return {
        "weighted_clusters": {"clusters": list(weighted)},
        "timeout": "0s",
        "retry_policy": retries,
    }


class _Reader:
    """Reads one VirtualService; every complaint names it and the field."""

    def __init__(self, manifest: Manifest) -> None:
        metadata = mapped(manifest, ("metadata",))
        self._namespace = str(metadata.get("namespace", "default"))
        self._where = f"VirtualService {self._namespace}/{metadata.get('name')}"
        self._spec = mapped(manifest, ("spec",))

    def routes(self) -> list[Config]:
        self._known(self._spec, _SPEC, "spec")
        rules = listed(self._spec, ("http",))
        return [r for i, rule in enumerate(rules) for r in self._rule(rule, f"spec.http[{i}]")]

    def _rule(self, rule: Any, path: str) -> list[Config]:
        self._known(rule, _RULE, path)
        route = {**action(self._weighted(rule, path)), **self._timing(rule, path)}
        rewrite = self._part(rule, "rewrite", {"uri"}, path)
        if "uri" in rewrite:
            route["prefix_rewrite"] = str(rewrite["uri"])
        route |= self._mirror(rule, path)
        found = []
        for i, match in enumerate(listed(rule, ("match",)) or [{}]):
            whole = {"match": self._match(match, f"{path}.match[{i}]"), "route": route}
            found.append({**whole, **self._headers(rule, path)})
        return found

    def _weighted(self, rule: Manifest, path: str) -> list[Config]:
        entries = listed(rule, ("route",))
        sole = len(entries) == 1
        weighted = []
        for i, entry in enumerate(entries):
            here = f"{path}.route[{i}]"
            self._known(entry, _ROUTE, here)
            weight = 100 if sole else entry.get("weight", 0)
            if not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
                self._refuse(f"{here}.weight is {weight!r}, expected a whole number from 0")
            name = cluster_name(self._destination(entry, "destination", here))
            weighted.append({"name": name, "weight": weight, **self._headers(entry, here)})
        if sum(entry["weight"] for entry in weighted) == 0:
            self._refuse(f"{path}.route: no destination has a weight above 0")
        return weighted

    def _destination(self, holder: Manifest, name: str, path: str) -> Address:
        value = self._part(holder, name, _DESTINATION, path)
        port = mapped(value, ("port",)).get("number", 80)
        if not value.get("host") or not isinstance(port, int):
            self._refuse(f"{path}.{name}: expected a host and a port number")
        return destination(value, self._namespace)

    def _timing(self, rule: Manifest, path: str) -> Config:
        timing: Config = {}
        if "timeout" in rule:
            timing["timeout"] = self._duration(rule["timeout"], f"{path}.timeout")
        retries = self._part(rule, "retries", _RETRIES, path)
        if retries:
            policy: Config = {
                "retry_on": str(retries.get("retryOn", _RETRY_ON)),
                "num_retries": int(retries.get("attempts", 2)),
            }
            if "perTryTimeout" in retries:
                where = f"{path}.retries.perTryTimeout"
                policy["per_try_timeout"] = self._duration(retries["perTryTimeout"], where)
            timing["retry_policy"] = policy
        return timing

    def _duration(self, value: Any, path: str) -> str:
        text = str(value)
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self._refuse(f"{path} is {text!r}, expected a duration such as 1.5s or 200ms")
        terms = (Decimal(number) * Decimal(_UNITS[unit]) for number, unit in parts)
        total = sum(terms, start=Decimal(0))
        return f"{total.normalize():f}s"  # Envoy takes seconds only

    def _mirror(self, rule: Manifest, path: str) -> Config:
        if "mirror" not in rule:
            return {}
        share = self._part(rule, "mirrorPercentage", {"value"}, path).get("value", 100)
        millionths = {"numerator": int(float(share) * 10_000), "denominator": "MILLION"}
        policy = {
            "cluster": cluster_name(self._destination(rule, "mirror", path)),
            "runtime_fraction": {"default_value": millionths},
        }
        return {"request_mirror_policies": [policy]}

    def _match(self, match: Any, path: str) -> Config:
        self._known(match, _MATCH, path)
        headers = [
            *self._texts(match, "headers", path),
            *(
                {**text, "invert_match": True}
                for text in self._texts(match, "withoutHeaders", path)
            ),
        ]
        if "method" in match:
            headers.append({"name": ":method", **self._text(match["method"], f"{path}.method")})
        queries = self._texts(match, "queryParams", path)
        return {
            **self._uri(match, path),
            **({"headers": headers} if headers else {}),
            **({"query_parameters": queries} if queries else {}),
        }

    def _uri(self, match: Manifest, path: str) -> Config:
        uri = self._part(match, "uri", _TEXT, path)
        exact_case = {} if not match.get("ignoreUriCase") else {"case_sensitive": False}
        if "exact" in uri:
            return {"path": str(uri["exact"]), **exact_case}
        if "regex" in uri:
            return {"safe_regex": {"regex": str(uri["regex"])}}
        return {"prefix": str(uri.get("prefix", "/")), **exact_case}

    def _texts(self, match: Manifest, name: str, path: str) -> list[Config]:
        return [
            {"name": str(key), **self._text(value, f"{path}.{name}.{key}")}
            for key, value in mapped(match, (name,)).items()
        ]

    def _text(self, value: Any, path: str) -> Config:
        value = value or {}
        self._known(value, _TEXT, path)
        if not value:
            return {"present_match": True}
        kind, text = next(iter(value.items()))
        wanted = {"regex": str(text)} if kind == "regex" else str(text)
        return {"string_match": {"safe_regex" if kind == "regex" else kind: wanted}}

    def _headers(self, holder: Manifest, path: str) -> Config:
        found: Config = {}
        sides = self._part(holder, "headers", _HEADERS, path)
        for side in sides:
            part = self._part(sides, side, _HEADER_OPERATIONS, f"{path}.headers")
            added = [*_added(mapped(part, ("set",)), _OVERWRITE),
                     *_added(mapped(part, ("add",)), _APPEND)]  # fmt: skip
            if added:
                found[f"{side}_headers_to_add"] = added
            if listed(part, ("remove",)):
                found[f"{side}_headers_to_remove"] = [str(n) for n in listed(part, ("remove",))]
        return found

    def _part(self, holder: Manifest, name: str, known: Iterable[str], path: str) -> Manifest:
        part = holder.get(name)
        if part is None:
            return {}
        self._known(part, known, f"{path}.{name}")
        return mapped(holder, (name,))

    def _known(self, value: Any, names: Iterable[str], path: str) -> None:
        if not isinstance(value, Mapping):
            self._refuse(f"{path} is {value!r}, expected a mapping")
        unknown = sorted(str(name) for name in value if name not in set(names))
        if unknown:
            self._refuse(f"{path}.{unknown[0]} is not understood here")

    def _refuse(self, text: str) -> None:
        raise SpecError(f"{self._where}: {text}", hint=HINT)


def _added(values: Manifest, how: str) -> list[Config]:
    return [
        {"header": {"key": str(key), "value": str(value)}, "append_action": how}
        for key, value in values.items()
    ]
