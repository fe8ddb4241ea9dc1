"""Prometheus under the service name that the predecessor's metrics ask."""

from __future__ import annotations

import sys
from pathlib import Path

import processes
from settings import ADDRESS, KUBECONFIG, STATE
from shell import apply, wait_until

PORT = 9095  # 9090 is the workflow controller's own
TARGETS = STATE / "targets.json"
CONFIG = f"""global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
- job_name: pods
  file_sd_configs: [{{files: ["{TARGETS}"], refresh_interval: 2s}}]
"""
OBJECT = """apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {service}, namespace: {namespace}}}
spec:
  ports: [{{name: http, port: {port}, targetPort: {target}}}]
---
apiVersion: v1
kind: Endpoints
metadata: {{name: {service}, namespace: {namespace}}}
subsets:
- addresses: [{{ip: {address}}}]
  ports: [{{name: http, port: {target}}}]
"""
SERVICES = (
    ("seldon-core-analytics-prometheus-seldon", "seldon-system", 80),
    ("prometheus", "monitoring", 9090),
)


def up() -> None:
    """Start it and wait until it listens."""
    (STATE / "prometheus.yml").write_text(CONFIG)
    for service, namespace, port in SERVICES:
        apply(OBJECT.format(
            service=service, namespace=namespace, port=port, target=PORT, address=ADDRESS
        ))  # fmt: skip
    TARGETS.write_text("[]")
    processes.start("targets", [
        sys.executable, Path(__file__).with_name("targets.py"), TARGETS
    ], KUBECONFIG=str(KUBECONFIG))  # fmt: skip
    log = processes.start("prometheus", [
        "prometheus", f"--config.file={STATE}/prometheus.yml",
        f"--storage.tsdb.path={STATE}/prometheus", f"--web.listen-address=0.0.0.0:{PORT}",
        "--log.level=warn",
    ])  # fmt: skip
    wait_until("prometheus", lambda: processes.listens(PORT), 60, log)
