"""Envoy's files from what is deployed: pure functions from objects to configuration.

Only routes (RDS) and clusters (CDS) change while Envoy runs; its listener never does, so a change
of weights drops no request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Config = dict[str, Any]
Address = tuple[str, int]
_TYPES = "type.googleapis.com/envoy"
ROUTES_NAME = "rollout"


def bootstrap(*, port: int, admin_port: int, folder: str) -> Config:
    """Return the static part: one listener on loopback, routes and clusters from files."""
    return {
        "node": {"id": "gateway", "cluster": "crossfade"},
        "admin": {"address": _socket("127.0.0.1", admin_port)},
        "dynamic_resources": {"cds_config": _watched(f"{folder}/cds.yaml", folder)},
        "static_resources": {"listeners": [_listener(port, folder)]},
    }


def _listener(port: int, folder: str) -> Config:
    manager = {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "gateway",
        "rds": {
            "route_config_name": ROUTES_NAME,
            "config_source": _watched(f"{folder}/rds.yaml", folder),
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {"name": "gateway", "address": _socket("127.0.0.1", port), "filter_chains": [chain]}


def _watched(path: str, folder: str) -> Config:
    source = {"path": path, "watched_directory": {"path": folder}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _socket(host: str, port: int) -> Config:
    return {"socket_address": {"address": host, "port_value": port}}


def clusters(addresses: Mapping[Address, int], version: int) -> Config:
    """Return the clusters: one for each service (host, port), on the loopback port behind it."""
    return {
        "version_info": str(version),
        "resources": [
            {
                "@type": f"{_TYPES}.config.cluster.v3.Cluster",
                "name": cluster_name(address),
                "type": "STATIC",
                "connect_timeout": "2s",
                "load_assignment": {
                    "cluster_name": cluster_name(address),
                    "endpoints": [
                        {"lb_endpoints": [{"endpoint": {"address": _socket("127.0.0.1", port)}}]}
                    ],
                },
            }
            for address, port in sorted(addresses.items())
        ],
    }


def routes(
    virtual_services: Sequence[Mapping[str, Any]],
    prefixes: Mapping[str, Address],
    version: int,
) -> Config:
    """Return the routes of every VirtualService, and Seldon's prefix routes for any host.

    ``prefixes`` maps ``/seldon/<namespace>/<name>/`` to the service behind it; the prefix is
    rewritten to ``/``, as Seldon's own ingress does.
    """
    prefixed = [_prefix_route(prefix, address) for prefix, address in sorted(prefixes.items())]
    hosts = [_virtual_host(service, prefixed) for service in virtual_services]
    fallback = {"name": "any", "domains": ["*"], "routes": prefixed}
    taken = {domain for host in hosts for domain in host["domains"]}
    if "*" not in taken:
        hosts.append(fallback)
    return {
        "version_info": str(version),
        "resources": [
            {
                "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
                "name": ROUTES_NAME,
                "validate_clusters": False,
                "virtual_hosts": hosts,
            }
        ],
    }


def _virtual_host(service: Mapping[str, Any], prefixed: list[Config]) -> Config:
    spec, metadata = service["spec"], service["metadata"]
    namespace = str(metadata["namespace"])
    own = [route for rule in spec.get("http") or [] for route in _rule(rule, namespace)]
    domains = [d for host in spec.get("hosts") or ["*"] for d in _domains(host)]
    return {
        "name": f"{namespace}/{metadata['name']}",
        "domains": domains,
        "routes": [*prefixed, *own],
    }


def _domains(host: str) -> list[str]:
    return ["*"] if host == "*" else [host, f"{host}:*"]


def _rule(rule: Mapping[str, Any], namespace: str) -> list[Config]:
    action = {"weighted_clusters": {"clusters": _weighted(rule.get("route") or [], namespace)}}
    timeout = {"timeout": str(rule["timeout"])} if rule.get("timeout") else {}
    matches = rule.get("match") or [{}]
    return [{"match": _match(match), "route": {**action, **timeout}} for match in matches]


def _match(match: Mapping[str, Any]) -> Config:
    uri = match.get("uri") or {}
    if "exact" in uri:
        return {"path": uri["exact"]}
    return {"prefix": uri.get("prefix", "/")}


def _weighted(destinations: Sequence[Mapping[str, Any]], namespace: str) -> list[Config]:
    sole = len(destinations) == 1
    weighted = []
    for route in destinations:
        headers = ((route.get("headers") or {}).get("response") or {}).get("set") or {}
        weight = route.get("weight", 100 if sole else 0)
        entry: Config = {
            "name": cluster_name(destination(route["destination"], namespace)),
            "weight": 100 if sole else weight,
        }
        if headers:
            entry["response_headers_to_add"] = [_header(k, str(v)) for k, v in headers.items()]
        weighted.append(entry)
    return weighted


def _header(name: str, value: str) -> Config:
    action = "OVERWRITE_IF_EXISTS_OR_ADD"
    return {"header": {"key": name, "value": value}, "append_action": action}


def _prefix_route(prefix: str, address: Address) -> Config:
    route = {"cluster": cluster_name(address), "prefix_rewrite": "/"}
    return {"match": {"prefix": prefix}, "route": route}


def destination(value: Mapping[str, Any], namespace: str) -> Address:
    """Return a destination's (service.namespace, port); short hosts get the namespace."""
    return service_host(str(value["host"]), namespace), int((value.get("port") or {}).get(
        "number", 80))  # fmt: skip


def service_host(host: str, namespace: str) -> str:
    """Return ``service.namespace`` for any of a Service's names."""
    parts = host.split(".")
    return f"{parts[0]}.{parts[1] if len(parts) > 1 else namespace}"


def cluster_name(address: Address) -> str:
    """Return the cluster's name."""
    return f"{address[0]}:{address[1]}"
