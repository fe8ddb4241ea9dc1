"""What a judgement found is told in one sentence each."""

from __future__ import annotations

import pytest

from crossfade.evidence.judging import Judged
from crossfade.evidence.limits import design, planned
from crossfade.evidence.notes import Note, NoteWord
from crossfade.evidence.rules import Rules
from crossfade.evidence.storing import restored
from crossfade.evidence.words import Story
from crossfade.spec.experiment import Experiment
from crossfade.verdict import Shape

EXPERIMENT = Experiment.model_validate({
    "apiVersion": "iter8.tools/v2alpha2", "kind": "Experiment",
    "metadata": {"name": "e", "namespace": "ns"},
    "spec": {
        "target": "t", "strategy": {"testingPattern": "A/B"},
        "criteria": {"rewards": [{"metric": "gain", "preferredDirection": "High"}],
                     "objectives": [{"metric": "errors", "upperLimit": "0.01"}]},
        "versionInfo": {"baseline": {"name": "v1"}, "candidates": [{"name": "v2"}]},
    },
})  # fmt: skip
SHAPES = {"ns/errors": Shape("fraction"), "ns/gain": Shape("fraction")}


@pytest.mark.parametrize("word", NoteWord)
def test_every_word_has_its_sentence(word: NoteWord) -> None:
    plan, rules = planned(EXPERIMENT, SHAPES), Rules()
    what = design(EXPERIMENT, plan)
    trial = restored({}, rules, what)
    judged = Judged(trial, None, 0, notes=(Note(word, 1, 0),))

    told = Story(EXPERIMENT, plan, trial, rules, what).sentence(judged, trial.weights)

    assert told.endswith("; weights stay at 100/0")
    assert not {"{", "}"} & set(told)
    assert len(told) > len("; weights stay at 100/0")
