"""What an interval's judgement found, as words for programs; ``words`` tells of them to people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteWord(StrEnum):
    """Everything that may be found in an interval."""

    FAILS = "fails"
    BROKEN = "broken"
    BETTER = "better"
    WORSE = "worse"
    PASSES = "passes"
    BEATEN = "beaten"
    BASELINE_FAILS = "baseline-fails"
    SPLIT = "split"
    BLIND = "blind"
    NO_DATA = "no-data"
    DISTURBED = "disturbed"
    DOUBTED = "doubted"
    INCOMPLETE = "incomplete"
    TIME_IS_UP = "time-is-up"
    UNWATCHED = "unwatched"
    REGRESSED = "regressed"
    BAKING = "baking"
    BAKED = "baked"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was found, and the version and objective it is about."""

    word: NoteWord
    version: int = 0
    objective: int = -1
