"""Names, inputs and outputs of the steps: the wire format between a workflow and its containers.

The compiler turns a contract into a template's arguments; ``crossfade_steps`` turns the same
contract into flags, so the two cannot drift.  Parameters carry only what must not live in the
run's own state: Argo evaluates templates in their values again.
"""

from __future__ import annotations

from dataclasses import dataclass

from crossfade.version import VERSION

OUTPUT_FOLDER = "/tmp/crossfade"
ACCOUNT = "crossfade"
"""The service account of a rollout that names none."""
DEFAULT_IMAGE = f"crossfade-steps:{VERSION}"
"""The image of the steps of a rollout that names none."""
IMAGE_VARIABLE = "CROSSFADE_IMAGE"
"""The environment variable that tells a step its own image."""
BUNDLE_BY_NAME, BUNDLE_KEY = "configmap:", "bundle"
"""How a bundle too large for a parameter is named, and the key that holds it."""
PART_LABEL, BUNDLE_PART = "crossfade.dev/part", "bundle"
"""The label that says what a ConfigMap is of crossfade, and what it says of such a bundle."""
MODULE = "crossfade_steps"
REPORT_FILE = "report.html"
"""What the last step leaves beside its outputs, for a workflow that keeps it as an artifact."""

LONG_INTERVAL = 60
"""Seconds from which a timer covers most of an interval instead of a sleeping pod."""
AWAKE_SECONDS = 15
"""How long before an iteration is due its pod is started."""


def bundle_name(digest: str) -> str:
    """Return the content-addressed name of the ConfigMap that holds a bundle of that digest."""
    return f"crossfade-bundle-{digest[:32]}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``python -m crossfade_steps <name> --<input> VALUE ...``.

    Every output is a file of that name in ``OUTPUT_FOLDER``; ``defaults`` are what Argo takes when
    the container died before writing.
    """

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.outputs) != len(self.defaults):
            raise ValueError(f"step {self.name}: one default for each output")


CHECK = Step(
    "check", ("run", "uid", "bundle", "frame"), ("start", "digest", "summary"), ("0", "", "failed")
)
DEPLOY = Step("deploy", ("run", "bundle", "digest"), ("action", "summary"), ("restore", "failed"))
LOAD = Step(
    "load",
    ("run", "bundle", "digest"),
    ("start", "pause", "summary"),
    ("0", "1s", "failed"),
)
EVALUATE = Step("evaluate", ("run", "bundle", "digest", "start", "k"))
SET_WEIGHTS = Step(
    "set-weights",
    ("run", "bundle", "digest", "start", "k"),
    ("action", "next", "pause", "summary"),
    ("restore", "0", "1s", "failed"),
)
ITERATE = Step(
    "iterate", ("run", "bundle", "digest", "start"), ("action", "summary"), ("restore", "failed")
)
WATCH = Step("watch", ("run", "bundle", "digest"), ("summary",), ("failed",))
PROMOTE = Step("promote", ("run", "bundle", "digest"), ("summary",), ("failed",))
RESTORE = Step("restore", ("run", "bundle", "digest"), ("summary",), ("failed",))
VERIFY = Step("verify", ("run", "bundle", "digest"), ("summary",), ("failed",))
FINISH = Step("finish", ("run", "uid", "bundle"), ("outcome", "summary"), ("failed", "failed"))
GUARD = Step("guard", ("run", "bundle"))  # a Job beside the workflow, not a step of it
DOCTOR = Step("doctor", ("run", "bundle"))  # before there is a workflow
STEER = Step(
    "steer", ("run", "ask", "version", "by"), ("summary",), ("failed",)
)  # its own workflow

ENDING = (RESTORE.name, FINISH.name, GUARD.name)
"""Who restores safe weights: they do it for the rollout that began, whatever ``bundle`` is now."""

ASKS = ("pause", "resume", "promote", "abort")
"""What people may ask of a run that goes on."""

STEPS = (
    CHECK, DEPLOY, LOAD, EVALUATE, SET_WEIGHTS, ITERATE, WATCH, PROMOTE, RESTORE, VERIFY, FINISH,
)  # fmt: skip

# Values of the output ``action``: what the workflow does next.
ITERATE_NOW, CONTINUE, PROMOTE_NOW, RESTORE_NOW = "iterate", "continue", "promote", "restore"
