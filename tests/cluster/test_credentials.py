"""A credential that load and verify send: it is named in the rollout, used, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import light
import pytest

from cluster import Place, until

Places = Callable[[str], Place]
SENT = {"headers": {"Authorization": "Bearer ${token}"}, "secret": "gateway"}


def guarded(document: dict[str, Any]) -> dict[str, Any]:
    """Let every model of a rollout answer only who has the token of Secret ``gateway``."""
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "gateway", "key": "token"}}}
    spec = document["spec"]
    for manifest in (*spec["deploy"], *(m for group in spec["promote"].values() for m in group)):
        if manifest["kind"] == "Deployment":
            manifest["spec"]["template"]["spec"]["containers"][0]["env"].append(token)
    return document


def told(here: Place, run: str) -> str:
    """Return everything that a person may read of a run."""
    kubectl, call = here.cluster.kubectl, here.cluster.crossfade
    kinds = "workflows,configmaps,jobs,pods,events,virtualservices,leases"
    labels = (f"workflows.argoproj.io/workflow={run}", f"crossfade.dev/run={run}")
    logs = [kubectl("logs", "-n", here.name, "-l", label, "--all-containers", "--tail", "-1",
                    "--ignore-errors", "--max-log-requests", "50") for label in labels]  # fmt: skip
    shown = [call(word, "-n", here.name, run).text for word in ("describe", "report")]
    return "\n".join([kubectl("get", kinds, "-n", here.name, "-o", "yaml"), *logs, *shown])


@pytest.mark.minutes(1)
def test_a_credential_is_used_and_nowhere_to_be_read(place: Places, tmp_path: Path) -> None:
    here, canary = place("token"), f"canary{uuid4().hex}"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "gateway"},
              "stringData": {"token": canary}}  # fmt: skip
    here.cluster.apply(secret, namespace=here.name)
    url, host = f"{light.GATEWAY}/predict", {"Host": light.host(here.name)}
    sent = {**SENT, "headers": {**SENT["headers"], **host}, "url": url}  # type: ignore[dict-item]
    load = [{"fortio": {"qps": 30, **sent}}]
    path = here.write(tmp_path, guarded(here.rollout(load=load, verify=sent)))
    here.grant(path)

    run = here.submit(path)
    ended = here.outcome(run)
    until(lambda: f"{run}-report" in here.names("configmaps") or None, "the run's report", 20)

    assert ended["outcome"] == "promoted", ended
    assert canary not in told(here, run)
