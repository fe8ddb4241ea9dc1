"""A stand-in for Seldon's operator, which no package registry carries.

It makes what the real one makes of a SeldonDeployment with one prepackaged server: a Deployment of
an initializer, the model server and the executor, two Services, and the VirtualService of the path
``/seldon/<namespace>/<name>/``.  Status moves as the real one's does: Creating, Available, Failed,
without an observedGeneration; the old pods answer until the new ones are ready.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from kubernetes import config, dynamic
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

POLL_SECONDS = 0.5
SERVERS = {"SKLEARN_SERVER": ("SKLearnServer", "seldonio/sklearnserver:1.19.0"),
           "XGBOOST_SERVER": ("XGBoostServer", "seldonio/xgboostserver:1.19.0")}  # fmt: skip
Object = dict[str, Any]


def main() -> None:
    """Follow every SeldonDeployment until the process is ended."""
    images = json.loads(sys.argv[1])
    config.load_kube_config()
    client = dynamic.DynamicClient(ApiClient())
    while True:
        try:
            turn(client, images)
        except (ApiException, dynamic.exceptions.DynamicApiError, OSError) as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        time.sleep(POLL_SECONDS)


def turn(client: Any, images: dict[str, str]) -> None:
    """Bring everything that belongs to every SeldonDeployment up to date."""
    kind = client.resources.get(api_version="machinelearning.seldon.io/v1", kind="SeldonDeployment")
    for item in kind.get().items:
        wanted = item.to_dict()
        if wanted["metadata"].get("deletionTimestamp"):
            continue
        try:
            objects = [o for p in predictors(wanted) for o in objects_of(wanted, p, images)]
        except (KeyError, IndexError, TypeError) as error:
            patch_status(kind, wanted, {"state": "Failed", "description": f"{error!r}"})
            continue
        for manifest in objects:
            apply(client, manifest)
        patch_status(kind, wanted, status(client, wanted))


def predictors(wanted: Object) -> list[Object]:
    """Return the predictors that are asked for."""
    return list(wanted["spec"]["predictors"])


def apply(client: Any, manifest: Object) -> None:
    """Create or change an object on the server's side."""
    kind = client.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
    kind.server_side_apply(
        body=manifest, name=manifest["metadata"]["name"],
        namespace=manifest["metadata"]["namespace"], field_manager="seldon",
        force_conflicts=True,
    )  # fmt: skip


def patch_status(kind: Any, wanted: Object, new: Object) -> None:
    """Write the status where it has changed."""
    if wanted.get("status") != new:
        metadata = wanted["metadata"]
        kind.status.patch(
            body={"status": new}, name=metadata["name"], namespace=metadata["namespace"],
            content_type="application/merge-patch+json",
        )  # fmt: skip


def status(client: Any, wanted: Object) -> Object:
    """Return Available when every Deployment has rolled out, else Creating."""
    kind = client.resources.get(api_version="apps/v1", kind="Deployment")
    namespace, found, ready = wanted["metadata"]["namespace"], {}, True
    for predictor in predictors(wanted):
        name = deployment_name(wanted, predictor)
        have = kind.get(name=name, namespace=namespace).to_dict()
        state = have.get("status") or {}
        current = state.get("observedGeneration") == have["metadata"]["generation"]
        counts = [state.get(f) or 0 for f in ("replicas", "updatedReplicas", "availableReplicas")]
        replicas = have["spec"]["replicas"]
        ready = ready and current and counts == [replicas] * 3
        found[name] = {"replicas": replicas, "availableReplicas": counts[2]}
    name = f"{wanted['metadata']['name']}-{predictors(wanted)[0]['name']}"
    url = f"http://{name}.{namespace}.svc.cluster.local:8000/api/v1.0/predictions"
    return {
        "state": "Available" if ready else "Creating",
        "deploymentStatus": found,
        "address": {"url": url},
        "replicas": sum(d["replicas"] for d in found.values()),
    }


def deployment_name(wanted: Object, predictor: Object) -> str:
    """Return the name that the real operator gives: ``iris-default-0-classifier``."""
    return f"{wanted['metadata']['name']}-{predictor['name']}-0-{predictor['graph']['name']}"


def objects_of(wanted: Object, predictor: Object, images: dict[str, str]) -> list[Object]:
    """Return everything that belongs to one predictor."""
    metadata = wanted["metadata"]
    service = f"{metadata['name']}-{predictor['name']}"
    owner = {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"],
             "name": metadata["name"], "uid": metadata["uid"], "controller": True}  # fmt: skip
    own = {"namespace": metadata["namespace"], "ownerReferences": [owner]}
    return [
        deployment(wanted, predictor, images, own),
        {"apiVersion": "v1", "kind": "Service", "metadata": {**own, "name": service},
         "spec": {"selector": {"seldon-app": service},
                  "ports": [{"name": "http", "port": 8000, "targetPort": 8000}]}},
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {**own, "name": f"{service}-{predictor['graph']['name']}"},
         "spec": {"selector": {"seldon-app": service},
                  "ports": [{"name": "http", "port": 9000, "targetPort": 9000}]}},
        path_rule(metadata, service, own),
    ]  # fmt: skip


def path_rule(metadata: Object, service: str, own: Object) -> Object:
    """Return the VirtualService of the deployment's path at the gateway."""
    path = f"/seldon/{metadata['namespace']}/{metadata['name']}/"
    host = f"{service}.{metadata['namespace']}.svc.cluster.local"
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {**own, "name": f"{metadata['name']}-http"},
        "spec": {
            "hosts": ["*"],
            "gateways": ["istio-system/seldon-gateway"],
            "http": [{
                "match": [{"uri": {"prefix": path}}],
                "rewrite": {"uri": "/"},
                "route": [{"destination": {"host": host, "port": {"number": 8000}},
                           "weight": 100}],
            }],
        },
    }  # fmt: skip


def deployment(wanted: Object, predictor: Object, images: dict[str, str], own: Object) -> Object:
    """Return the Deployment with initializer, model server and executor."""
    name = deployment_name(wanted, predictor)
    service = f"{wanted['metadata']['name']}-{predictor['name']}"
    labels = {"app": name, "seldon-deployment-id": wanted["metadata"]["name"],
              "seldon-app": service, "app.kubernetes.io/managed-by": "seldon-core"}  # fmt: skip
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/path": "/prometheus"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**own, "name": name, "labels": labels},
        "spec": {
            "replicas": predictor.get("replicas", wanted["spec"].get("replicas", 1)),
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": pod(wanted, predictor, images),
            },
        },
    }


def pod(wanted: Object, predictor: Object, images: dict[str, str]) -> Object:
    """Return the pod of one predictor."""
    graph = predictor["graph"]
    server, image = SERVERS[graph["implementation"]]
    mount = {"name": "model", "mountPath": "/mnt/models"}
    parameters = [{"name": "model_uri", "value": "/mnt/models", "type": "STRING"}]
    environment = {
        "PREDICTIVE_UNIT_ID": graph["name"], "PREDICTOR_ID": predictor["name"],
        "SELDON_DEPLOYMENT_ID": wanted["metadata"]["name"], "PREDICTIVE_UNIT_IMAGE": image,
        "PREDICTIVE_UNIT_METRICS_ENDPOINT": "/prometheus",
    }  # fmt: skip
    executor = ["--host", "0.0.0.0", "--port", "8000", "--model", "http://127.0.0.1:9000",
                "--deployment", wanted["metadata"]["name"], "--predictor", predictor["name"],
                "--version", predictor.get("annotations", {}).get("version", ""),
                "--node", graph["name"], "--image", image]  # fmt: skip
    return {
        "terminationGracePeriodSeconds": 10,
        "automountServiceAccountToken": False,
        "securityContext": {"fsGroup": 65532},
        "initContainers": [{
            "name": f"{graph['name']}-model-initializer", "image": images["model-server"],
            "command": ["python", "/opt/fetch", graph["modelUri"], "/mnt/models"],
            "volumeMounts": [mount],
        }],
        "containers": [
            {"name": graph["name"], "image": images["model-server"],
             "args": [server, "--service-type", "MODEL", "--parameters", json.dumps(parameters),
                      "--http-port", "9000", "--metrics-port", "6000", "--grpc-workers", "0",
                      "--workers", "1", "--threads", "4", "--keepalive", "75",
                      "--log-level", "WARNING"],
             "env": [{"name": n, "value": v} for n, v in environment.items()],
             "ports": [{"name": "http", "containerPort": 9000},
                       {"name": "metrics", "containerPort": 6000}],
             "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}},
             "volumeMounts": [mount]},
            {"name": "seldon-container-engine", "image": images["executor"], "args": executor,
             "ports": [{"name": "metrics", "containerPort": 8000}],
             # the operator's own limit: a busy node answers late, and that is not ill health
             "readinessProbe": {"httpGet": {"path": "/ready", "port": 8000}, "periodSeconds": 1,
                                "timeoutSeconds": 60},
             "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
             "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}},
        ],
        "volumes": [{"name": "model", "emptyDir": {}}],
    }  # fmt: skip


if __name__ == "__main__":
    main()
