"""Whether a SeldonDeployment's Deployments carry its predictors, as Seldon's operator makes them.

Each predictor has a Deployment for each of its ``componentSpecs``, named
``<deployment>-<predictor>-<i>-<containers>``.  The one with the executor is labelled ``seldon-app``
with the predictor's Service; the containers of all know their predictor by ``PREDICTOR_ID``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from crossfade.spec.ownership import service_name
from crossfade.spec.source import listed, mapped
from crossfade_steps.likeness import covers
from crossfade_steps.ports import Object

APP, PREDICTOR = "seldon-app", "PREDICTOR_ID"
CLAIM, MOUNTED = "pvc://", "/mnt/pvc"
"""A model on a volume is mounted there, and given to the initializer by its path."""
NO_SERVER = (None, "UNKNOWN_IMPLEMENTATION")
Predictor = Mapping[str, Any]


def lacking(stored: Object, deployments: Sequence[Object]) -> str | None:
    """Return what no Deployment has yet of what the predictors ask for; None when all is there.

    Where nothing tells the predictors' Deployments apart, everything must be among all of them.
    """
    name, predictors = stored["metadata"]["name"], listed(stored, ("spec", "predictors"))
    owner = [_owner(deployment, name, predictors) for deployment in deployments]
    for predictor in predictors:
        known = any(o is not None for o in owner)
        own = [d for d, o in zip(deployments, owner, strict=True)
               if not known or o == predictor.get("name")]  # fmt: skip
        if not own:
            return f"predictor {predictor.get('name')} has no Deployment yet"
        reason = _carried(predictor, own)
        if reason is not None:
            return f"predictor {predictor.get('name')}: {reason}"
    return None


def _owner(deployment: Object, name: str, predictors: Sequence[Predictor]) -> str | None:
    """Return whose predictor a Deployment is: by its label, by its containers, by its name."""
    metadata = mapped(deployment, ("metadata",))
    app = mapped(metadata, ("labels",)).get(APP)
    told = {env.get("value") for container in _containers(deployment)
            for env in listed(container, ("env",)) if env.get("name") == PREDICTOR}  # fmt: skip
    by_label = [p for p in predictors if app == service_name(p, name)]
    by_env = [p for p in predictors if p.get("name") in told]
    by_name = [p for p in predictors
               if str(metadata.get("name")).startswith(f"{name}-{p.get('name')}-")]  # fmt: skip
    found = by_label or by_env or by_name
    longest = sorted(found, key=lambda p: len(str(p.get("name"))))
    return str(longest[-1].get("name")) if longest else None


def _carried(predictor: Predictor, deployments: Sequence[Object]) -> str | None:
    """Return which model or container of a predictor is in none of its Deployments."""
    have = [container for d in deployments for container in _containers(d)]
    texts = {text for container in have for text in _texts(container)}
    wanted = [container for part in listed(predictor, ("componentSpecs",))
              for container in listed(part, ("spec", "containers"))]  # fmt: skip
    images = {container.get("name") for container in wanted if container.get("image")}
    for uri in _model_uris(predictor.get("graph"), images):
        if not texts & {uri, _mounted(uri)}:
            return f"no Deployment carries {uri} yet"
    for want in wanted:
        if not any(_is(container, want) for container in have):
            what = want.get("image") or "what it asks for"
            return f"no Deployment carries {want.get('name')} with {what} yet"
    return None


def _is(have: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    """Return whether a container is the wanted one; the operator adds variables of its own."""
    same = all(have.get(key) == want[key] for key in ("name", "image") if want.get(key))
    return same and all(
        any(covers(mine, theirs) for mine in listed(have, (key,)))
        for key in ("env", "args", "command")
        for theirs in listed(want, (key,))
    )


def _containers(deployment: Object) -> list[Mapping[str, Any]]:
    pod = ("spec", "template", "spec")
    return [
        *listed(deployment, (*pod, "initContainers")),
        *listed(deployment, (*pod, "containers")),
    ]


def _texts(container: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a container is started with: each argument, each variable's value."""
    for key in ("command", "args"):
        yield from map(str, listed(container, (key,)))
    for env in listed(container, ("env",)):
        if env.get("value"):
            yield str(env["value"])


def _mounted(uri: str) -> str:
    if not uri.startswith(CLAIM):
        return uri
    return f"{MOUNTED}/{uri.removeprefix(CLAIM).partition('/')[2]}"


def _model_uris(node: Any, images: Set[str | None]) -> Iterator[str]:
    """Yield the models that are fetched for a graph's nodes.

    None is for a container with an image of its own: only Seldon's servers have an initializer.
    """
    if isinstance(node, Mapping):
        own = node.get("implementation") in NO_SERVER and node.get("name") in images
        if node.get("modelUri") and not own:
            yield str(node["modelUri"])
        for child in node.get("children") or ():
            yield from _model_uris(child, images)
