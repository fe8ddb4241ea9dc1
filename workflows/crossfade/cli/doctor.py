"""``crossfade doctor``: whether a cluster can carry a rollout out, before anything is changed.

The checks run in a pod, with the rollout's own account and the steps' own image: what a person's
rights and a laptop's network say of a cluster proves nothing.  The pod's Job, and a large rollout's
ConfigMap where it was not there before, are all that is made, and they are removed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.table import Table

from crossfade.cli.compile import changed
from crossfade.cli.loading import bundle_of, read
from crossfade.cli.output import err, out
from crossfade.contract import ACCOUNT, DOCTOR, IMAGE_VARIABLE, MODULE
from crossfade.spec.rollout import Bundle
from crossfade_steps.cluster import load
from crossfade_steps.cluster.kube import Kube, reached
from crossfade_steps.cluster.readiness import pod_troubles
from crossfade_steps.cluster.store import RUN_LABEL
from crossfade_steps.ports import ObjectKey

START_SECONDS = 90.0
WORDS = {True: "ok", False: "BAD", None: "-"}
Check = dict[str, Any]


def run(paths: Sequence[Path], settings: Sequence[str], policy: str | None, *,
        image: str | None, as_json: bool) -> int:  # fmt: skip
    """Print every check; 0 when none is bad, 1 otherwise."""
    loaded = read(paths, settings, policy)
    bundle = changed(bundle_of(loaded), loop=None, image=image)
    checks = list(_examined(reached(), bundle))
    if as_json:
        print(json.dumps(checks, indent=1))
    else:
        _show(checks)
    return 1 if any(check["good"] is False for check in checks) else 0


def _show(checks: Sequence[Check]) -> None:
    grid = Table("", "what", "subject", "")
    for check in checks:
        grid.add_row(WORDS[check["good"]], check["what"], check["subject"], check["text"])
    out.print(grid)
    bad = sum(check["good"] is False for check in checks)
    err.print(f"{len(checks)} checks, {bad} bad")


def _examined(kube: Kube, bundle: Bundle) -> Iterator[Check]:
    account = bundle.service_account or ACCOUNT
    named = ObjectKey("", "ServiceAccount", bundle.namespace, account)
    there = kube.get(named) is not None
    remedy = f"kubectl apply -k install -n {bundle.namespace}"
    yield _check("account", f"{bundle.namespace}/{account}", there, "" if there else remedy)
    if not there:
        return
    name, made = f"crossfade-doctor-{uuid4().hex[:5]}", list[ObjectKey]()
    try:
        _start(kube, bundle, name, made)
        yield from _answers(kube, bundle, name)
    finally:
        for key in made:
            kube.delete(key)


def _start(kube: Kube, bundle: Bundle, name: str, made: list[ObjectKey]) -> None:
    """Create the Job (a large bundle's ConfigMap first), and note what is to be removed."""
    from crossfade.compiler import documents

    *before, workflow = documents(bundle)
    for manifest in before:
        if kube.get(ObjectKey.of(manifest)) is None:  # another run's stays
            kube.create(manifest)
            made.append(ObjectKey.of(manifest))
    containers = [t["container"] for t in workflow["spec"]["templates"] if "container" in t]
    value = workflow["spec"]["arguments"]["parameters"][0]["value"]
    image = containers[0]["image"]
    container = {
        "name": "doctor", "image": image, "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", MODULE],
        "args": [DOCTOR.name, "--run", name, "--bundle", value],
        "env": [{"name": IMAGE_VARIABLE, "value": image}],
    }  # fmt: skip
    job = load.job(name, bundle.namespace, name, container, automountServiceAccountToken=True,
                   serviceAccountName=bundle.service_account or ACCOUNT)  # fmt: skip
    kube.create(job)
    made.append(ObjectKey("batch", "Job", bundle.namespace, name))


def _answers(kube: Kube, bundle: Bundle, name: str) -> Iterator[Check]:
    """Wait for the pod and return what it found; a pod that does not start is a finding too."""
    until, trouble = time.monotonic() + START_SECONDS, "no pod was made"
    while time.monotonic() < until:
        pods = kube.list("", "Pod", bundle.namespace, f"{RUN_LABEL}={name}")
        phase = str(pods[0].get("status", {}).get("phase")) if pods else ""
        if phase in ("Succeeded", "Failed") or "CrashLoopBackOff" in trouble:
            yield from _read(kube, bundle.namespace, pods[0]["metadata"]["name"])
            return
        trouble = "; ".join(pod_troubles(pods)) or trouble
        if any(word in trouble for word in ("ErrImage", "ImagePull", "InvalidImage")):
            break
        time.sleep(1.0)
    yield _check("image", "the steps' image", False, trouble)


def _read(kube: Kube, namespace: str, pod: str) -> Iterator[Check]:
    text = kube.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log")
    lines = text.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    yield _check("image", "the steps' image", True, "its pod ran")
    yield from found
    wrong = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if wrong or not found:  # an image that knows no doctor says nothing that is a check
        text = (wrong or lines or ["it said nothing"])[-1]
        yield _check("rollout", "reading it", False, text)


def _check(what: str, subject: str, good: bool, text: str) -> Check:
    return {"what": what, "subject": subject, "good": good, "text": text}
