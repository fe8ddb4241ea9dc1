"""What an interval came to, in the sentences that people want: what is proven, what is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from crossfade.evidence import judging, thresholds
from crossfade.evidence.clustering import design_effect, scatters
from crossfade.evidence.limits import Limit, Plan
from crossfade.evidence.needs import requests_needed
from crossfade.evidence.notes import Note, NoteWord
from crossfade.evidence.rules import POINTS, Design, Interval, Rules
from crossfade.evidence.trial import Trial
from crossfade.reasons import weights_text
from crossfade.spec.experiment import Experiment, qualified
from crossfade.verdict import Judgement, Observation, Outcome, Verdict, judge

MOST_RATIO = 1e6
MOST_LACKS = 3
ENDINGS = {
    Outcome.ROLLED_BACK: "all traffic back to the baseline",
    Outcome.INCONCLUSIVE: "not decided in time, the baseline stays",
    Outcome.INVALID: "the baseline serves all traffic",
}
WRONG_SPLIT = "requests are not shared as the weights say"
PLAIN = {
    NoteWord.BROKEN: f"{{name}}: an objective was missed {POINTS} times in a row",
    NoteWord.PASSES: "{name}: all objectives hold",
    NoteWord.BEATEN: "another candidate is proven better than {name}",
    NoteWord.BASELINE_FAILS: "{baseline} misses its own objectives",
    NoteWord.BLIND: "no data {blind} times in a row",
    NoteWord.NO_DATA: "no data",
    NoteWord.DISTURBED: "somebody else set the weights, so this interval is no evidence",
    NoteWord.DOUBTED: "{name} has won, but an objective is in doubt or unknown",
    NoteWord.INCOMPLETE: "not everything could be read",
    NoteWord.REGRESSED: "{name} was the winner before",
}
"""What needs no numbers but what is known of every trial."""


def ratio(log: float) -> str:
    """Return evidence as people read it: ``8.3:1``."""
    value = math.exp(min(max(log, -700.0), 700.0))
    return f"over {MOST_RATIO:.0e}:1".replace("+0", "") if value > MOST_RATIO else f"{value:.3g}:1"


@dataclass(frozen=True)
class Story:
    """A trial after an interval, and everything that is needed to tell of it."""

    experiment: Experiment
    plan: Plan
    trial: Trial
    rules: Rules
    design: Design
    interval: Interval | None = None

    @property
    def names(self) -> list[str]:
        """Return the versions' names, the baseline first."""
        return [version.name for version in self.experiment.versions]

    @cached_property
    def _passes(self) -> list[list[float]]:
        """Return ln of the evidence that a limit holds, by version and limit."""
        found: list[list[float]] = self.trial.passes.shown(self._needed).tolist()
        return found

    @cached_property
    def _better(self) -> list[list[float]]:
        """Return ln of the evidence that a version's reward is better than another's."""
        found: list[list[float]] = self.trial.bettered.shown(self._needed_better).tolist()
        return found

    @property
    def _needed(self) -> float:
        return thresholds.promotion_threshold(self.rules, self.design)

    @property
    def _needed_better(self) -> float:
        return thresholds.better_threshold(self.rules, self.design)

    @cached_property
    def _fails(self) -> list[list[float]]:
        """Return ln of the evidence that a limit is broken, by version and limit."""
        found: list[list[float]] = self.trial.fails.evidence().tolist()
        return found

    @cached_property
    def _judged(self) -> list[list[float]]:
        """Return how many values were judged, by version and limit."""
        found: list[list[float]] = self.trial.judged.tolist()
        return found

    @cached_property
    def _claims(self) -> tuple[str, ...]:
        return tuple(f"{'>=' if limit.lower else '<='} {limit.limit:g}"
                     for limit in self.plan.limits)  # fmt: skip

    @cached_property
    def _own(self) -> dict[int, list[int]]:
        """Return the limits of each objective that has any."""
        found: dict[int, list[int]] = {}
        for j, limit in enumerate(self.plan.limits):
            found.setdefault(limit.objective, []).append(j)
        return found

    def verdicts(self, seen: Observation) -> tuple[Verdict, ...]:
        """Return every objective's verdict for every version, objectives in the order written."""
        return tuple(
            self._verdict(i, v, seen)
            for i in range(len(self.experiment.spec.criteria.objectives))
            for v in range(len(self.names))
        )

    def sentence(self, judged: judging.Judged, old: tuple[int, ...]) -> str:
        """Return what was found and what is done about it; ``old`` weights were in force."""
        found = [self._note(note) for note in judged.notes]
        if judged.outcome is None and not found:
            found = [self._missing(i) for i in self.trial.candidates()]
        if self.rules.split == "warn" and judging.wrong_split(self.trial, self.rules, self.design):
            found.append(f"{WRONG_SPLIT}{self._shared()}: users stay with the version they met "
                         f"first")  # fmt: skip
        return "; ".join([*found, self._action(judged, old)])

    def _verdict(self, i: int, v: int, seen: Observation) -> Verdict:
        objective, name = self.experiment.spec.criteria.objectives[i], self.names[v]
        key = qualified(objective.metric, self.experiment.namespace)
        lower, upper, own = objective.lower_limit, objective.upper_limit, self._own.get(i)
        if own is None:
            plain = judge(name, key, seen, lower=lower, upper=upper)
            return replace(plain, sentence=f"{plain.sentence} (a bare value, not statistical)")
        told = [self._tested(v, j) for j in own]
        words = [word for word, _ in told]
        bad = (Judgement.MISSED, Judgement.UNKNOWN)
        worst = next((word for word in bad if word in words), Judgement.MET)
        text = f"{key} of {name}: {'; '.join(text for _, text in told)}"
        return Verdict(name, key, worst, seen.value(key, name), lower, upper,
                       self._judged[v][own[0]], seen.elapsed_seconds, text)  # fmt: skip

    def _tested(self, v: int, j: int) -> tuple[Judgement, str]:
        """Return what is known of one limit for one version."""
        needed = self._needed
        fails, passes = self._fails[v][j], self._passes[v][j]
        claim, count = self._claims[j], f"n={self._judged[v][j]:.4g}"
        if fails >= thresholds.rollback_threshold(self.rules, self.design):
            return Judgement.MISSED, f"proven not {claim} ({ratio(fails)}, {count})"
        if passes >= needed:
            return Judgement.MET, f"proven {claim} ({ratio(passes)}, {count})"
        part = f"{ratio(passes)} of {ratio(needed)}, {count}"
        return Judgement.UNKNOWN, f"{claim} not proven yet ({part})"

    def _action(self, judged: judging.Judged, old: tuple[int, ...]) -> str:
        names = self.names
        if judged.outcome is Outcome.PROMOTED:
            return f"promote {names[judged.winner]}" if len(names) > 1 else "it stays"
        if judged.outcome is not None:
            return ENDINGS[judged.outcome]
        now = dict(zip(names, judged.trial.weights, strict=True))
        before = dict(zip(names, old, strict=True))
        if now == before:
            return f"weights stay at {weights_text(now)}"
        return f"weights {weights_text(before)} -> {weights_text(now)}"

    def _note(self, note: Note) -> str:
        """Return what was found as a person reads it."""
        name, left = self.names[note.version], _intervals(self.trial.left)
        match note.word:
            case NoteWord.FAILS:
                text = self._failing(note)
            case NoteWord.BETTER | NoteWord.WORSE:
                text = self._compared(note)
            case NoteWord.BAKED:
                text = f"{self._compared(note)}, and it stayed healthy under watch"
            case NoteWord.SPLIT:
                text = f"{WRONG_SPLIT}{self._shared()}"
            case NoteWord.TIME_IS_UP:
                lacks = [self._missing(i) for i in self.trial.candidates()]
                text = "; ".join(lacks) or "not proven"
            case NoteWord.UNWATCHED:
                text = f"{name} has won, but was not watched to the end: {left} to go"
            case NoteWord.BAKING:
                text = f"{name} has won, {left} under watch"
            case _:
                known = {"name": name, "baseline": self.names[0], "blind": self.trial.blind}
                text = PLAIN[note.word].format(**known)
        return text

    def _failing(self, note: Note) -> str:
        name, limit = self.names[note.version], self.plan.limits[note.objective]
        log = self._fails[note.version][note.objective]
        return f"{name}: {_short(limit)} is broken ({ratio(log)})"

    def _shared(self) -> str:
        """Return who answered how much less than its weight (F7), for whoever looks for the cause.

        A version without ready pods answers nothing, whatever its weight: the gateway's 503 are in
        no model's own counters.
        """
        if self.interval is None:
            return ""
        requests, weights = self.interval.requests, self.trial.weights_before
        total = requests.sum()
        lacks = [weight / 100 * total - own for weight, own in zip(weights, requests, strict=True)]
        least = max(range(len(lacks)), key=lacks.__getitem__)
        return (f" ({self.names[least]} answered {requests[least]:.4g} of {total:.4g}, "
                f"its weight is {weights[least]})")  # fmt: skip

    def _compared(self, note: Note) -> str:
        name, rewards = self.names[note.version], self.experiment.spec.criteria.rewards
        if not self.design.rewarded:
            return f"{name}: all objectives hold"
        reward = rewards[0].metric
        if note.word is NoteWord.WORSE:
            log = float(self.trial.worsened.evidence()[note.version])
            return f"{name} is proven worse by {reward} ({ratio(log)})"
        log = self._better[note.version][0]
        if log < self._needed_better:
            return f"{name}: all objectives hold, and {self.names[0]} misses its own"
        return f"{name} is proven better by {reward} ({ratio(log)}), all objectives hold"

    def _missing(self, i: int) -> str:
        """Return what a candidate still lacks, and about how long that takes."""
        threshold = self._needed
        passes, every = self._passes[i], range(len(self.plan.limits))
        open_ = sorted((j for j in every if passes[j] < threshold), key=passes.__getitem__)
        most = MOST_LACKS if len(self.trial.candidates()) <= MOST_LACKS else 1
        lacks = [self._lack(i, j, threshold) for j in sorted(open_[:most])]
        if len(open_) > most:
            lacks.append(f"{len(open_) - most} more objectives")
        better = self._better[i][0]
        if self.design.rewarded and better < self._needed_better:
            reward = self.experiment.spec.criteria.rewards[0].metric
            lacks.append(f"better {reward} {ratio(better)} of {ratio(self._needed_better)}")
            if self.rules.dispersion == "auto" and math.isinf(design_effect(self.trial.scatter)):
                lacks.append("how far users' requests belong together is not known yet")
            if self.trial.effect > 1 and scatters(self.trial.scatter):
                lacks.append(f"{reward} scatters {self.trial.effect:.2g} times as much as at most "
                             f"1 a request could, and counts so much less (reward_range, or "
                             f"reward: count?)")  # fmt: skip
        return f"{self.names[i]}: {', '.join(lacks) or 'proven, to be confirmed'}"

    def _lack(self, i: int, j: int, threshold: float) -> str:
        trial, limit = self.trial, self.plan.limits[j]
        bad, count = float(trial.bad[i, j]), float(trial.judged[i, j])
        needed = requests_needed(bad, limit.null, threshold)
        if not math.isfinite(needed):
            return f"{_short(limit)} cannot be proven ({bad:.3g} bad of {count:.4g})"
        share = trial.traffic * trial.weights[i] / 100
        more = f", about {_intervals(math.ceil((needed - count) / share))}" if share else ""
        clean = "clean requests" if not bad else f"requests ({bad:.3g} bad)"
        return f"{_short(limit)} {count:.4g} of about {needed:.4g} {clean}{more}"


def _intervals(count: int) -> str:
    return f"{count} more interval{'' if count == 1 else 's'}"


def _short(limit: Limit) -> str:
    name = limit.metric.partition("/")[2]
    return f"{name} {'>=' if limit.lower else '<='} {limit.limit:g}"
