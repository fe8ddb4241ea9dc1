"""Routers: read and write weights through the object API."""

from __future__ import annotations

from crossfade.routes import references_by_object
from crossfade.spec.experiment import Experiment
from crossfade_steps.ports import Objects, Router
from crossfade_steps.routers.objects import ObjectRouter
from crossfade_steps.routers.spread import SpreadRouter


def connect(experiment: Experiment, objects: Objects) -> Router:
    """Return the router of an experiment's weights, in one object or in several."""
    groups = references_by_object(experiment.versions, experiment.namespace)
    kind = SpreadRouter if len(groups) > 1 else ObjectRouter
    return kind(experiment, objects)
