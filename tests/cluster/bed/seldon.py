"""Seldon's operator as far as a rollout sees it: its definition, and a process that follows it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import processes
from settings import BIN, KUBECONFIG
from shell import apply, attempt, wait_until

CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: seldondeployments.machinelearning.seldon.io}
spec:
  group: machinelearning.seldon.io
  scope: Namespaced
  names: {kind: SeldonDeployment, listKind: SeldonDeploymentList, plural: seldondeployments,
    singular: seldondeployment, shortNames: [sdep]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""


def up(images: dict[str, str]) -> None:
    """Install the definition and start the stand-in."""
    apply(CRD)
    wait_until("SeldonDeployment's definition", _defined, 30, None)
    processes.start("seldon-operator", [
        sys.executable, Path(__file__).with_name("seldon_operator.py"), json.dumps(images)
    ], KUBECONFIG=str(KUBECONFIG))  # fmt: skip


def _defined() -> bool:
    return attempt(BIN / "kubectl", "get", "seldondeployments", "-A").returncode == 0
