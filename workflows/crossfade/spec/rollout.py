"""The Rollout of ``crossfade.dev/v1alpha1``: the experiment and everything done around it.

``Rollout`` is the file a user writes; it names other files.  ``Bundle`` is the same with every
file read in: self-contained, canonical, and what travels into a workflow or a run.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from crossfade.spec.base import Model
from crossfade.spec.experiment import Experiment, Metadata
from crossfade.spec.metric import Metric
from crossfade.spec.names import AccountName, ImageName, NamespaceName
from crossfade.spec.prometheus import PrometheusSettings, plain
from crossfade.spec.secrets import SecretName
from crossfade.spec.urls import HttpUrl

Manifest = dict[str, Any]
Prometheus = Annotated[dict[str, Any], BeforeValidator(plain)]
"""Settings of Prometheus as they travel: those that are set, by their names in Python."""


class Loop(StrEnum):
    """Where iterations run: one pod each, or all in one container."""

    NODES = "nodes"
    POD = "pod"


class Approval(StrEnum):
    """Whether a person decides before a promotion."""

    NONE = "none"
    BEFORE_PROMOTE = "before-promote"


class Policy(Model, extra="allow"):
    """The decision rule by name; its settings are checked by the policy's own file."""

    name: str = "evidence"

    @property
    def settings(self) -> dict[str, Any]:
        """Return every key but the name."""
        return dict(self.model_extra or {})


class FortioLoad(Model):
    """Plain load: one fixed request at a fixed rate through the gateway.

    ``${key}`` in a header is a key of ``secret``, which must be in the run's own namespace.
    """

    url: HttpUrl
    qps: float = Field(gt=0, le=100_000)
    payload: str | None = None
    headers: dict[str, str] = {}
    secret: SecretName | None = None
    connections: int = Field(default=4, ge=1, le=1024)


class FeedbackLoad(Model):
    """Predictions through the gateway, each answered version rewarded with its own probability.

    ``rewards`` maps a version to the probability (0..1) that one of its answers earns a reward
    of 1; the version is read from the response header ``header``.  ``${key}`` in one of ``headers``
    is a key of ``secret``, which must be in the run's own namespace.
    """

    url: HttpUrl
    feedback_url: HttpUrl | None = None
    qps: float = Field(gt=0, le=100_000)
    payload: str
    headers: dict[str, str] = {}
    secret: SecretName | None = None
    header: str = "version"
    rewards: dict[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]]


class Load(Model):
    """One source of load: a file of Jobs (with text substitutions), fortio, or feedback."""

    file: str | None = None
    set_: dict[str, str] = Field(default={}, alias="set")
    fortio: FortioLoad | None = None
    feedback: FeedbackLoad | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Load:
        given = [self.file, self.fortio, self.feedback]
        if sum(source is not None for source in given) != 1:
            raise ValueError("expected exactly one of file, fortio and feedback")
        return self


class VersionObjects(Model):
    """Which objects make up a version, as ``Kind/namespace/name``."""

    objects: tuple[str, ...] = ()


class Verify(Model):
    """The request that proves a promotion by real answers.

    ``${key}`` in a header is a key of ``secret`` (``name`` or ``namespace/name``), read by the step
    that asks.
    """

    url: HttpUrl
    payload: str | None = None
    headers: dict[str, str] = {}
    secret: SecretName | None = None


class RolloutSpec(Model):
    """``spec`` of a Rollout; every key but ``experiment`` is optional."""

    experiment: str | dict[str, Any]
    metrics: tuple[str | dict[str, Any], ...] = ()
    deploy: tuple[str | dict[str, Any], ...] = ()
    load: tuple[Load, ...] = ()
    promote: dict[str, str | tuple[str | dict[str, Any], ...]] = {}
    versions: dict[str, VersionObjects] = {}
    verify: Verify | None = None
    policy: Policy = Policy()
    loop: Loop = Loop.NODES
    approval: Approval = Approval.NONE
    prometheus: PrometheusSettings = PrometheusSettings()
    models: dict[str, str] = {}
    image: ImageName | None = None
    service_account: AccountName | None = None
    deadline: str | None = None
    ready_timeout: str | None = None
    report_artifact: bool = False
    retry_rejected: bool = False


class Rollout(Model, extra="ignore"):
    """A Rollout as people write it: paths are relative to the file that names them."""

    api_version: Literal["crossfade.dev/v1alpha1"]
    kind: Literal["Rollout"]
    metadata: Metadata = Metadata()
    spec: RolloutSpec


class JobLoad(Model):
    """Load as Kubernetes Jobs, with the substitutions already done."""

    jobs: tuple[Manifest, ...]


class Bundle(Model):
    """A rollout with everything read in.  Equal content gives equal bytes and an equal digest.

    ``models`` are folders of the machine that loaded it: nothing that travels.
    """

    name: str
    namespace: NamespaceName = "default"
    experiment: Experiment
    metrics: dict[str, Metric] = {}
    deploy: tuple[Manifest, ...] = ()
    load: tuple[JobLoad | FortioLoad | FeedbackLoad, ...] = ()
    promote: dict[str, tuple[Manifest, ...]] = {}
    versions: dict[str, VersionObjects] = {}
    verify: Verify | None = None
    policy: Policy = Policy()
    loop: Loop = Loop.NODES
    approval: Approval = Approval.NONE
    prometheus: Prometheus = {}
    models: dict[str, str] = {}
    image: ImageName | None = None
    service_account: AccountName | None = None
    deadline: str | None = None
    ready_timeout: str | None = None
    report_artifact: bool = False
    retry_rejected: bool = False

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, ASCII only, no spaces, no defaults, no ``models``.

        Of the experiment all that it says itself stays: a limit that is said is kept to, also where
        it is the default's.
        """
        data = self.model_dump(mode="json", by_alias=True, exclude={"models"},
                               exclude_defaults=True)  # fmt: skip
        data["experiment"] = self.experiment.model_dump(
            mode="json", by_alias=True, exclude_unset=True
        )
        return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Bundle:
        """Read what ``to_json`` wrote."""
        return cls.model_validate_json(text)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()
