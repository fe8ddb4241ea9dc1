"""Istio's control plane and a plain Envoy as its ingress gateway."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import processes
from builds import module_folder
from settings import ADDRESS, BIN, ISTIO, KUBECONFIG, STATE, say
from shell import apply, kubectl, wait_until

MESH = f"""enablePrometheusMerge: false
ingressControllerMode: "OFF"
defaultConfig: {{discoveryAddress: "{ADDRESS}:15010"}}
defaultProviders: {{}}
enableAutoMtls: false
"""
# What only Istio's own build of Envoy has is switched off.
ENVIRONMENT = {
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "ENABLE_CA_SERVER": "false",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "POD_NAMESPACE": "istio-system",
}
BOOTSTRAP = f"""node:
  id: router~{ADDRESS}~ingress.istio-system~istio-system.svc.cluster.local
  cluster: ingress.istio-system
  metadata:
    NAMESPACE: istio-system
    ISTIO_VERSION: 1.31.0
    CLUSTER_ID: Kubernetes
    LABELS: {{istio: ingressgateway}}
admin: {{address: {{socket_address: {{address: 0.0.0.0, port_value: 15000}}}}}}
dynamic_resources:
  ads_config:
    api_type: GRPC
    transport_api_version: V3
    grpc_services: [{{envoy_grpc: {{cluster_name: xds-grpc}}}}]
  cds_config: {{ads: {{}}, resource_api_version: V3}}
  lds_config: {{ads: {{}}, resource_api_version: V3}}
static_resources:
  clusters:
  - name: xds-grpc
    type: STATIC
    connect_timeout: 5s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment:
      cluster_name: xds-grpc
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 15010}}}}}}
"""
OBJECTS = f"""apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: seldon-gateway, namespace: istio-system}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{name: http, number: 80, protocol: HTTP}}
    hosts: ["*"]
---
apiVersion: v1
kind: Service
metadata: {{name: istio-ingressgateway, namespace: istio-system}}
spec:
  ports: [{{name: http, port: 80}}]
---
apiVersion: v1
kind: Endpoints
metadata: {{name: istio-ingressgateway, namespace: istio-system}}
subsets:
- addresses: [{{ip: {ADDRESS}}}]
  ports: [{{name: http, port: 80}}]
---
apiVersion: v1
kind: Service
metadata: {{name: gateway, namespace: default}}
spec:
  type: ExternalName
  externalName: istio-ingressgateway.istio-system.svc.cluster.local
"""


def up() -> None:
    """Start both and wait until the gateway has its listener."""
    charts = module_folder("istio.io/istio", ISTIO) / "manifests" / "charts"
    kubectl("apply", "--server-side", "-f", charts / "base" / "files" / "crd-all.gen.yaml")
    (STATE / "mesh.yaml").write_text(MESH)
    (STATE / "envoy.yaml").write_text(BOOTSTRAP)
    apply(OBJECTS)
    log = processes.start("istiod", [
        BIN / "pilot-discovery", "discovery", f"--kubeconfig={KUBECONFIG}",
        f"--meshConfig={STATE}/mesh.yaml", "--grpcAddr=:15010", "--secureGRPCAddr=",
        "--httpsAddr=", "--monitoringAddr=:15014",
    ], **ENVIRONMENT)  # fmt: skip
    wait_until("istiod", lambda: processes.listens(15010), 60, log)
    # with hot restart Envoy ends itself when whoever started it does
    log = processes.start("envoy", [_envoy(), "-c", STATE / "envoy.yaml", "-l", "warning",
                                    "--concurrency", "2", "--disable-hot-restart"])  # fmt: skip
    wait_until("the gateway", lambda: processes.listens(80), 60, log)
    say(f"gateway http://{ADDRESS}")


def _envoy() -> Path:
    """Return Envoy's binary: a Python package carries it."""
    spec = find_spec("envoy")
    if spec is None or spec.origin is None:
        sys.exit("cluster: Envoy is missing; make setup installs it")
    return Path(spec.origin).parent / "_bin" / "envoy"
