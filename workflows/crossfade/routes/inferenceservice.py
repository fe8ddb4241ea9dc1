"""KServe InferenceService: ``canaryTrafficPercent``; the baseline has the rest.

``.spec.predictor.canaryTrafficPercent`` (v1beta1) or ``.spec.canaryTrafficPercent`` (KFServing
v1alpha2).  0 pins traffic to the previous revision; absent means 100 to the latest one.
"""

from __future__ import annotations

from crossfade.errors import SpecError
from crossfade.routes.member import Manifest, Member, Path, describe, dotted, look, whole_number
from crossfade.spec.source import mapped

GROUP, KIND = ("serving.kserve.io", "serving.kubeflow.org"), "InferenceService"
EXAMPLE = ".spec.predictor.canaryTrafficPercent"
FRAMEWORKS = ("sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface",
              "pmml", "lightgbm", "paddle")  # fmt: skip
"""Fields of a predictor from before there was ``model`` (v1beta1, PredictorSpec)."""
PATHS = (
    ("spec", "canaryTrafficPercent"),
    ("spec", "predictor", "canaryTrafficPercent"),
    ("spec", "default", "canaryTrafficPercent"),
)


def members(manifest: Manifest, path: Path) -> list[Member]:
    """Return one member, the candidate; the baseline has no field of its own."""
    if path not in PATHS:
        raise SpecError(f"{describe(manifest)}: fieldPath {dotted(path)}, expected {EXAMPLE}")
    raw = whole_number(manifest, path, look(manifest, path), most=100)
    weight = 100 if raw is None else raw
    return [Member(path, raw, weight, ("metadata", "name"), _name(manifest), "candidate")]


def host(member: Member) -> tuple[str, int] | None:
    """Return None: both revisions answer under one host."""
    return None


def notes(manifest: Manifest, path: Path) -> list[str]:
    """Return what a person should know before weights move in here."""
    canary = look(manifest, ("spec", "canary"))
    if isinstance(canary, dict) and path[:2] == ("spec", "predictor"):
        return ["spec.canary is not a field of this API version: its content has no effect"]
    return []


def as_stored(existing: Manifest, manifest: Manifest) -> Manifest:
    """Return a manifest whose predictor names a framework in the form that KServe stores it in.

    Its webhook makes ``model`` of ``sklearn`` (setPredictorModelDefaults): as it is written nothing
    would ever be the same, and a new revision be waited for that never comes.
    """
    predictor = mapped(manifest, ("spec", "predictor"))
    framework = next((name for name in FRAMEWORKS if name in predictor), None)
    if framework is None or look(existing, ("spec", "predictor", "model")) is None:
        return manifest
    model = {"modelFormat": {"name": framework}, **(predictor[framework] or {})}
    rest = {key: value for key, value in predictor.items() if key != framework}
    return {**manifest, "spec": {**manifest["spec"], "predictor": {**rest, "model": model}}}


def _name(manifest: Manifest) -> object:
    return look(manifest, ("metadata", "name"))
