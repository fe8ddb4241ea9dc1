"""Envoy's files from what is deployed: pure functions from objects to configuration.

Only routes (RDS) and clusters (CDS) change while Envoy runs; its listener never does, so a change
of weights drops no request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crossfade_steps.embedded import virtual_service
from crossfade_steps.embedded.virtual_service import Address, Config, cluster_name

_TYPES = "type.googleapis.com/envoy"
ROUTES_NAME = "rollout"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# An idle connection is closed by Envoy before the service (after 75 s) can close it under a request
_PROTOCOL = {
    "@type": f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions",
    "common_http_protocol_options": {"idle_timeout": "60s"},
    "explicit_http_config": {"http_protocol_options": {}},
}


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
                "typed_extension_protocol_options": {_HTTP_OPTIONS: _PROTOCOL},
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
    virtual_services: Iterable[Mapping[str, Any]],
    prefixes: Mapping[str, Mapping[Address, int]],
    version: int,
) -> Config:
    """Return the routes of every VirtualService, and Seldon's prefix routes for any host.

    ``prefixes`` maps ``/seldon/<namespace>/<name>/`` to the weights of the services behind it; the
    prefix is rewritten to ``/``, as Seldon's own ingress does.  Rules of several VirtualServices
    for one host follow each other, as Istio's gateway merges them: Envoy takes a domain once.
    """
    prefixed = [_prefix_route(prefix, weights) for prefix, weights in sorted(prefixes.items())]
    domains: dict[str, list[Config]] = {"*": []}
    for manifest in virtual_services:
        own = virtual_service.routes(manifest)
        for host in virtual_service.hosts(manifest):
            domains.setdefault(host, []).extend(own)
    return {
        "version_info": str(version),
        "resources": [
            {
                "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
                "name": ROUTES_NAME,
                "validate_clusters": False,
                "ignore_port_in_host_matching": True,
                "virtual_hosts": [
                    {"name": domain, "domains": [domain], "routes": [*prefixed, *own]}
                    for domain, own in domains.items()
                ],
            }
        ],
    }


def _prefix_route(prefix: str, weights: Mapping[Address, int]) -> Config:
    weighted = [{"name": cluster_name(a), "weight": w} for a, w in sorted(weights.items())]
    route = {**virtual_service.action(weighted), "prefix_rewrite": "/"}
    return {"match": {"prefix": prefix}, "route": route}
