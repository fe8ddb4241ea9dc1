"""Tell Prometheus which pods to scrape: Debian's build cannot ask Kubernetes by itself.

Pods with the annotation ``prometheus.io/scrape: "true"`` are scraped at their ports called
``metrics``; series carry the labels that Seldon's analytics and Istio's users have.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

POLL_SECONDS = 1.0


def main() -> None:
    """Write the targets anew whenever they change, until the process is ended."""
    file, last = Path(sys.argv[1]), ""
    config.load_kube_config()
    core = client.CoreV1Api()
    while True:
        try:
            pods = core.list_pod_for_all_namespaces(_preload_content=False)
            text = json.dumps([group for pod in json.loads(pods.data)["items"]
                               for group in groups(pod)], sort_keys=True)  # fmt: skip
        except (ApiException, OSError) as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        else:
            if text != last:
                new = file.with_suffix(".new")
                new.write_text(text)
                os.replace(new, file)
                last = text
        time.sleep(POLL_SECONDS)


def groups(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a pod's scrape targets."""
    metadata, address = pod["metadata"], pod.get("status", {}).get("podIP")
    annotations, own = metadata.get("annotations") or {}, metadata.get("labels") or {}
    if annotations.get("prometheus.io/scrape") != "true" or not address:
        return []
    if pod["status"].get("phase") != "Running":
        return []
    labels = {
        "__metrics_path__": annotations.get("prometheus.io/path", "/metrics"),
        "namespace": metadata["namespace"],
        "kubernetes_namespace": metadata["namespace"],
        "pod": metadata["name"],
    }
    for key in ("seldon-deployment-id", "app"):
        if key in own:
            labels[key.replace("-", "_")] = own[key]
    ports = [
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
        if port.get("name") == "metrics"
    ]
    return [{"targets": [f"{address}:{port}"], "labels": labels} for port in ports]


if __name__ == "__main__":
    main()
