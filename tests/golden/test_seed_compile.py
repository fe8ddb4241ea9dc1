"""The predecessor's example compiles unchanged; left out where it is not beside the clone."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from crossfade.compiler import compile_text
from crossfade.spec.loading import load
from crossfade.spec.rollout import Bundle

SEED = Path(__file__).resolve().parents[3] / "shared" / "seed"


def test_the_seed_compiles_unchanged_and_arrives_whole() -> None:
    loaded = load([SEED], substitutions={"URL_VALUE": "http://gateway"})
    assert loaded.bundle is not None

    document = yaml.safe_load(compile_text(loaded.bundle))

    [parameter] = document["spec"]["arguments"]["parameters"]
    arrived = Bundle.from_json(base64.b64decode(parameter["value"]))
    assert arrived == loaded.bundle
    assert arrived.digest == loaded.bundle.digest
    assert set(arrived.promote) == {"iris-v1", "iris-v2"}
    assert document["metadata"]["generateName"] == "quickstart-exp-"
