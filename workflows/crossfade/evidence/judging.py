"""One interval's judgement: what is proven, who leaves, who wins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossfade.evidence.notes import Note, NoteWord
from crossfade.evidence.rules import Design, Interval, Rules
from crossfade.evidence.schedule import schedule
from crossfade.evidence.thresholds import (
    baseline_threshold,
    better_threshold,
    promotion_threshold,
    rollback_threshold,
    split_threshold,
)
from crossfade.evidence.trial import Trial, absorb, blind
from crossfade.verdict import Judgement, Outcome

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """What an interval came to.  ``outcome`` is None while the run goes on."""

    trial: Trial
    outcome: Outcome | None
    winner: int
    verdicts: tuple[tuple[Judgement, ...], ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """Tests that are over at this look, V versions and J objectives.

    ``unfit`` is whether the baseline is proven to miss a limit, by what a promotion takes: points
    that miss one some times in a row prove nothing, and take the place of no proof.
    """

    failed: Flags
    passed: Flags
    doubted: Flags
    worse: Flags
    better: Flags
    unfit: bool
    held: tuple[bool, ...]
    broken: tuple[bool, ...]
    verdicts: tuple[tuple[Judgement, ...], ...]

    def fails(self, version: int) -> bool:
        """Return whether an objective of the version is proven to be missed."""
        return bool(self.failed[version].any()) or self.broken[version]


def observe(trial: Trial, interval: Interval | None, rules: Rules, design: Design) -> Judged:
    """Return what an interval comes to; None is an interval of which nothing is known."""
    if interval is None or not interval.requests.sum():
        return _unseen(blind(trial), rules, design)
    if not interval.complete:
        return _unread(trial, interval, rules, design)
    trial = absorb(trial, interval, rules, design)
    found = findings(trial, interval, rules, design)
    if design.versions == 1:
        return _conformance(trial, found, rules, design)
    if rules.split == "end" and wrong_split(trial, rules, design):
        return _end(trial, Outcome.INVALID, 0, found, Note(NoteWord.SPLIT))
    if trial.winner is not None:
        return _baked(trial, trial.winner, found, rules, design)
    return _contested(trial, found, rules, design)


def last_iteration(rules: Rules, design: Design) -> int:
    """Return the iteration that a run ends at whatever is seen: that of a winner of the last one.

    It is watched for ``bake`` intervals, as many of which may be unread.
    """
    return design.iterations + 2 * rules.bake


def wrong_split(trial: Trial, rules: Rules, design: Design) -> bool:
    """Return whether it is proven that requests are not shared as the weights say (F7)."""
    return bool(trial.split.evidence().max() >= split_threshold(rules, design))


def _contested(trial: Trial, found: Findings, rules: Rules, design: Design) -> Judged:
    """Judge candidates of which none has won yet."""
    trial, notes = _without_losers(trial, found)
    if not trial.candidates():
        return _none_left(trial, found, notes)
    return _promoted_or_on(trial, found, notes, rules, design)


def _none_left(trial: Trial, found: Findings, notes: list[Note]) -> Judged:
    if found.fails(0):
        notes.append(Note(NoteWord.BASELINE_FAILS))
    return _end(trial, Outcome.ROLLED_BACK, 0, found, *notes)


def _unread(before: Trial, interval: Interval, rules: Rules, design: Design) -> Judged:
    """Judge an interval of which not everything could be read: all of it is read again later.

    So nothing of it may stay in the evidence.  But a limit that is proven to be broken is, by what
    is known: that evidence grows request by request (F1), and may be looked at at any of them.
    """
    trial = absorb(before, replace(interval, reward=None), rules, design)
    found, winner = findings(trial, interval, rules, design), trial.winner
    if design.versions == 1 and found.fails(0):
        return _end(trial, Outcome.ROLLED_BACK, 0, found, _failed(found, 0))
    if winner is not None and found.fails(winner):
        return _regressed(trial, winner, found)
    held, notes = blind(before), list[Note]()
    if winner is None and design.versions > 1:
        trial, notes = _without_losers(trial, found)
        if not trial.candidates():
            return _none_left(trial, found, notes)
        held = replace(held, live=trial.live)
    if held.blind >= rules.max_blind:
        return _end(held, Outcome.INVALID, 0, found, *notes, Note(NoteWord.BLIND))
    return _last_or_hold(held, found, [*notes, Note(NoteWord.INCOMPLETE)], rules, design)


def findings(trial: Trial, interval: Interval, rules: Rules, design: Design) -> Findings:
    """Return which tests are over."""
    fails = trial.fails.evidence()
    failed = fails >= rollback_threshold(rules, design)
    if rules.assurance == "proven":
        passed = trial.passes.proven(promotion_threshold(rules, design))
    else:
        passed = (trial.judged > 0) & (trial.bad <= np.asarray(design.limits) * trial.judged)
    broken = interval.broken or (False,) * trial.versions
    words = tuple(
        tuple(Judgement.MISSED if f else Judgement.MET if p else Judgement.UNKNOWN
              for f, p in zip(fs, ps, strict=True))
        for fs, ps in zip(failed, passed, strict=True)
    )  # fmt: skip
    return Findings(
        failed=failed,
        passed=passed,
        doubted=fails >= math.log(rules.doubt),
        worse=trial.worsened.evidence() >= rollback_threshold(rules, design),
        better=trial.bettered.proven(better_threshold(rules, design)),
        unfit=bool((fails[0] >= baseline_threshold(rules, design)).any()),
        held=interval.held or (True,) * trial.versions,
        broken=broken,
        verdicts=words,
    )


def _unseen(trial: Trial, rules: Rules, design: Design) -> Judged:
    if trial.blind >= rules.max_blind:
        return _end(trial, Outcome.INVALID, 0, None, Note(NoteWord.BLIND))
    return _last_or_hold(trial, None, [Note(NoteWord.NO_DATA)], rules, design)


def _conformance(trial: Trial, found: Findings, rules: Rules, design: Design) -> Judged:
    if found.fails(0):
        return _end(trial, Outcome.ROLLED_BACK, 0, found, _failed(found, 0))
    if found.passed.all() and found.held[0] and trial.seen >= rules.min_intervals:
        return _end(trial, Outcome.PROMOTED, 0, found, Note(NoteWord.PASSES))
    return _last_or_hold(trial, found, [], rules, design)


def _regressed(trial: Trial, i: int, found: Findings) -> Judged:
    why = _failed(found, i) if found.fails(i) else Note(NoteWord.WORSE, i)
    return _end(trial, Outcome.ROLLED_BACK, 0, found, why, Note(NoteWord.REGRESSED, i))


def _baked(trial: Trial, i: int, found: Findings, rules: Rules, design: Design) -> Judged:
    """Move traffic on after the verdict, alarms on; what is in doubt moves nothing.

    A winner of the last iteration is watched as long as any other, and a look that was unread or
    in doubt is made up for: but the run has an end (``last_iteration``).
    """
    if found.fails(i) or (found.worse[i] and not found.failed[0].any()):
        return _regressed(trial, i, found)
    if not found.held[i] or found.doubted[i].any():
        return _last_or_hold(trial, found, [Note(NoteWord.DOUBTED, i)], rules, design)
    left = trial.left - 1
    if left <= 0:
        return _end(trial, Outcome.PROMOTED, i, found, Note(NoteWord.BAKED, i))
    if trial.intervals >= last_iteration(rules, design):
        return _end(trial, Outcome.INCONCLUSIVE, 0, found, Note(NoteWord.UNWATCHED, i))
    top = min(trial.weights[i] + rules.increment, design.ceiling)
    weights = tuple(100 - top if j == 0 else top if j == i else 0 for j in range(trial.versions))
    steady = trial.steady if weights == trial.weights else 0  # later rewards are of the old split
    trial = replace(trial, left=left, weights=weights, steady=steady)
    return Judged(trial, None, i, found.verdicts, (Note(NoteWord.BAKING, i),))


def _without_losers(trial: Trial, found: Findings) -> tuple[Trial, list[Note]]:
    """Take candidates out that fail, are worse than the baseline, or beaten by another one."""
    live, notes = list(trial.live), []
    for i in range(1, trial.versions):
        if not live[i]:
            continue
        rivals = [j for j in range(1, trial.versions) if live[j] and j != i]
        why = None
        if found.fails(i):
            why = _failed(found, i)
        elif found.worse[i] and not found.failed[0].any():
            why = Note(NoteWord.WORSE, i)
        elif any(found.better[j, i] for j in rivals):
            why = Note(NoteWord.BEATEN, i)
        if why is not None:
            live[i] = False
            notes.append(why)
    return replace(trial, live=tuple(live)), notes


def _good(trial: Trial, found: Findings, rules: Rules, design: Design) -> list[int]:
    """Return the candidates that a promotion is proven for, at this look."""
    enough = trial.seen >= rules.min_intervals and trial.requests[0] >= rules.min_requests
    return [
        i for i in trial.candidates()
        if enough and trial.requests[i] >= rules.min_requests
        and found.passed[i].all() and found.held[i] and not found.doubted[i].any()
        and (found.unfit or not design.rewarded or found.better[i, 0])
    ]  # fmt: skip


def _promoted_or_on(
    trial: Trial, found: Findings, notes: list[Note], rules: Rules, design: Design
) -> Judged:
    """Promote what is proven twice in a row, else raise the weights."""
    good, final = _good(trial, found, rules, design), trial.intervals >= design.iterations
    ripe = bool(good) and (final or len(trial.candidates()) == 1)
    trial = replace(trial, agreed=trial.agreed + 1 if ripe else 0)
    if ripe and trial.agreed >= (1 if final else rules.confirm):
        return _won(trial, good, found, notes, design)
    if final:
        return _end(trial, Outcome.INCONCLUSIVE, 0, found, *notes, Note(NoteWord.TIME_IS_UP))
    led = tuple(
        was or (i in trial.candidates() and bool(found.better[i, 0] or found.unfit))
        for i, was in enumerate(trial.led)
    )
    trial = replace(trial, led=led)
    if not ripe and design.moves:  # a ripe candidate's weights stand still until it is confirmed
        weights = schedule(trial, rules, design)
        if weights != trial.weights:
            trial = replace(trial, weights=weights, steady=0)
    return Judged(trial, None, 0, found.verdicts, tuple(notes))


def _won(
    trial: Trial, good: Sequence[int], found: Findings, notes: list[Note], design: Design
) -> Judged:
    """Return the verdict for the best of the candidates that a promotion is proven for."""
    sign = -1 if design.lower_is_better else 1
    top = max(good, key=lambda i: sign * trial.reward[i] / max(float(trial.rewarded[i]), 1.0))
    reason = Note(NoteWord.PASSES, top)
    if found.unfit:
        reason = Note(NoteWord.BASELINE_FAILS, top)
    elif found.better[top, 0]:
        reason = Note(NoteWord.BETTER, top)
    if trial.left:
        return Judged(replace(trial, winner=top), None, top, found.verdicts, (*notes, reason))
    return _end(trial, Outcome.PROMOTED, top, found, *notes, reason)


def _failed(found: Findings, i: int) -> Note:
    if not found.failed[i].any():
        return Note(NoteWord.BROKEN, i)
    return Note(NoteWord.FAILS, i, int(np.argmax(found.failed[i])))


def _last_or_hold(
    trial: Trial, found: Findings | None, notes: Sequence[Note], rules: Rules, design: Design
) -> Judged:
    """Hold the weights, unless the time is up: that of a winner's watch comes on top."""
    i = trial.winner
    last = design.iterations if i is None else last_iteration(rules, design)
    if trial.intervals >= last:
        why = Note(NoteWord.TIME_IS_UP) if i is None else Note(NoteWord.UNWATCHED, i)
        return _end(trial, Outcome.INCONCLUSIVE, 0, found, *notes, why)
    verdicts = found.verdicts if found is not None else ()
    return Judged(trial, None, 0, verdicts, tuple(notes))


def _end(
    trial: Trial, outcome: Outcome, winner: int, found: Findings | None, *notes: Note
) -> Judged:
    weights = tuple(100 if i == winner else 0 for i in range(trial.versions))
    verdicts = found.verdicts if found is not None else ()
    return Judged(replace(trial, weights=weights), outcome, winner, verdicts, notes)
