"""Argo Workflows with default settings: its CRDs, its controller and its server."""

from __future__ import annotations

import processes
from builds import ARGO_MODULE, module_folder
from settings import ADDRESS, ARGO, BIN, KUBECONFIG, say
from shell import apply, attempt, kubectl, wait_until

PORT = 2746
OBJECTS = """apiVersion: v1
kind: Namespace
metadata: {name: argo}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: workflow-controller-configmap, namespace: argo}
"""


def up(executor_image: str) -> None:
    """Install the definitions, start controller and server, and wait for both."""
    crds = module_folder(ARGO_MODULE, ARGO) / "manifests" / "base" / "crds" / "full"
    kubectl("apply", "--server-side", "-k", crds)
    apply(OBJECTS)
    wait_until("Argo's definitions", _defined, 30, None)  # the controller ends without them
    log = processes.start("workflow-controller", [
        BIN / "workflow-controller", "--kubeconfig", KUBECONFIG, "--namespace", "argo",
        "--executor-image", executor_image, "--executor-image-pull-policy", "IfNotPresent",
    ], LEADER_ELECTION_DISABLE="true")  # fmt: skip
    wait_until("the workflow controller", lambda: processes.listens(9090), 60, log)
    log = processes.start("argo-server", [
        BIN / "argo", "server", "--auth-mode=server", "--secure=false", "--namespace=argo",
        f"--port={PORT}", f"--kubeconfig={KUBECONFIG}", "--loglevel=warn",
    ])  # fmt: skip
    wait_until("the Argo Server", lambda: processes.listens(PORT), 60, log)
    say(f"Argo Server http://{ADDRESS}:{PORT}")


def _defined() -> bool:
    return attempt(BIN / "kubectl", "get", "workflows", "-A").returncode == 0
