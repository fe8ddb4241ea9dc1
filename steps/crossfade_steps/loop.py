"""A whole run in one process: check, deploy, load, iterate, promote or restore, settle.

The same functions run as the steps of a workflow; here they follow each other directly.
"""

from __future__ import annotations

from traceback import extract_tb

from crossfade import record
from crossfade.errors import BackendError, CrossfadeError, SpecError
from crossfade.verdict import Decision, Outcome
from crossfade.workloads import routed_workload
from crossfade_steps import deploy, inplace, opening, promote, safety
from crossfade_steps.beginning import beginning
from crossfade_steps.freeing import free_candidates
from crossfade_steps.iteration import iterate
from crossfade_steps.run import Ended, Run, Stopped
from crossfade_steps.safety import Phase
from crossfade_steps.versions import (
    hosts,
    pin_documents,
    require_baseline,
    serving,
    version_objects,
)


def conduct(run: Run) -> Ended:
    """Carry a run out to its outcome; whatever happens, traffic ends on the phase's safe weights.

    Never raises for anything that went wrong in the run: the outcome says it.  The last entry of
    the record is that outcome.
    """
    deployed = deploy.Deployed()
    try:
        ended = _run(run, deployed)
    except KeyboardInterrupt:
        text = f"interrupted: {safety.who_serves(run.record.entries())}"
        ended = Ended(Outcome.CANCELLED, text)
    except Stopped as stop:
        ended = Ended(stop.outcome, str(stop))
    except CrossfadeError as error:
        ended = Ended(Outcome.FAILED, str(error) + (f" ({error.hint})" if error.hint else ""))
    except Exception as error:  # a mistake of ours must not leave users with a candidate
        ended = Ended(Outcome.FAILED, _unexpected(error))
    ended = _settle(run, ended)
    _clean_up(run, deployed, ended)
    _note(run, record.outcome(ended.outcome, ended.sentence, ended.winner))
    return ended


def _note(run: Run, entry: record.Entry) -> None:
    """Record what is known at the end; a full disk keeps no weight from being restored."""
    try:
        run.record.append(entry)
    except Exception as error:
        run.notes.append(f"{entry['type']} not recorded: {_told(error)}")


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, CrossfadeError) else _unexpected(error)


def _unexpected(error: Exception) -> str:
    """Return what nobody foresaw in one sentence, with the place where it was raised."""
    where = "".join(f" ({place.filename.rpartition('/')[2]}:{place.lineno})"
                    for place in extract_tb(error.__traceback__)[-1:])  # fmt: skip
    return f"unexpected {type(error).__name__}: {error}{where}"


def _run(run: Run, deployed: deploy.Deployed) -> Ended:
    run.record.append(record.header(run.name, run.bundle, run.clock.now()))
    _deploy(run, deployed)
    run.notes.extend(deployed.notes)
    run.router.pin(run.router.identities())
    objects = deployed.objects = version_objects(run)
    opening.begin(run, deployed.created)
    candidates = [v.name for v in run.versions[1:]]
    if any(same(run, objects, name) for name in candidates):
        return Ended(Outcome.KEPT, "nothing to compare: baseline and candidate run the same model")
    wait_ready(run, objects)
    safety.enter(run, Phase.ITERATING, run.all_baseline)
    opening.split(run, deployed.created)
    run.start_load()
    start = beginning(run)
    run.record.append(record.started(start))
    decision = iterate(run, start)
    return _conclude(run, decision, objects)


def _conclude(run: Run, decision: Decision, objects: dict[str, tuple[str, ...]]) -> Ended:
    if decision.outcome is not Outcome.PROMOTED or decision.winner is None:
        return Ended(decision.outcome or Outcome.FAILED, decision.reason)
    try:
        plan = promote.plan_promotion(run, decision.winner, hosts(run), objects)
        sentence = promote.promote(run, plan)
    except (BackendError, SpecError) as error:
        text = promote.unpromoted(run, decision.winner, error)
        return Ended(Outcome.PROMOTION_FAILED, text, decision.winner)
    return Ended(Outcome.PROMOTED, f"{sentence}: {decision.reason}", decision.winner)


def _deploy(run: Run, deployed: deploy.Deployed) -> None:
    pin_documents(run)
    require_baseline(run)
    objects = version_objects(run)  # refuses what would be two versions, before anything is applied
    candidates = {name for v in run.versions[1:] for name in objects[v.name]}
    candidates -= set(objects[run.baseline])
    run.notes.extend(free_candidates(run))
    done = deploy.deploy(
        run.bundle,
        run.objects,
        candidates=frozenset(candidates),
        routed=frozenset(run.router.keys()),
        baseline=objects[run.baseline],
    )
    deployed.created, deployed.found, deployed.notes = done.created, done.found, done.notes


def same(run: Run, objects: dict[str, tuple[str, ...]], candidate: str) -> bool:
    """Return whether a candidate runs what the baseline runs."""
    own = routed_workload(run.bundle, candidate)
    if own is not None and (own,) == objects.get(candidate) == objects.get(run.baseline):
        stored = run.objects.get(deploy.parse_name(own)) or {}
        return inplace.one_model(stored, run.router.identities(), (run.baseline, candidate))
    pair = (objects.get(run.baseline, ()), objects.get(candidate, ()))
    known = hosts(run)
    behind = known.get(run.baseline, ("", 0))[0], known.get(candidate, ("", 0))[0]
    return deploy.same_model(pair, behind, run.objects, run.bundle)


def wait_ready(run: Run, objects: dict[str, tuple[str, ...]]) -> None:
    """Wait until every version's workloads are ready.

    Raises ``BackendError`` with the reason, ``Stopped`` when the run must end first.
    """
    names = dict.fromkeys(name for group in objects.values() for name in group)
    deploy.wait_until_ready(
        [deploy.parse_name(name) for name in names],
        run.readiness,
        run.clock,
        timeout_seconds=run.ready_timeout_seconds,
        check=run.raise_alarm,
    )


def _settle(run: Run, ended: Ended) -> Ended:
    try:
        weights = safety.settle(run)
        if weights is not None:
            _note(run, record.settled(weights))
    except Exception as error:
        text = _told(error)
        if not isinstance(error, CrossfadeError):
            text = f"safe weights are NOT restored: {text}"
        return Ended(Outcome.FAILED, f"{ended.sentence}; {text}", ended.winner)
    return ended if weights is None else safety.with_others(run, ended)


def _clean_up(run: Run, deployed: deploy.Deployed, ended: Ended) -> None:
    """Clean up; what stays behind is a note of the run, never its outcome."""
    try:
        clean_up(run, deployed, ended)
    except Exception as error:
        run.notes.append(f"candidates not removed: {_told(error)}")


def clean_up(run: Run, deployed: deploy.Deployed, ended: Ended) -> None:
    """Remove the candidates' copies that this run made, but never one that traffic may reach."""
    if ended.outcome is Outcome.PROMOTION_FAILED or _unproven(run):
        return
    if ended.outcome is Outcome.PROMOTED and not run.bundle.promote.get(ended.winner or ""):
        return
    objects, serves = deployed.objects, serving(run)
    kept = {name for v in (run.baseline, *serves) for name in objects.get(v, ())}
    names = [n for v in run.versions[1:] for n in objects.get(v.name, ()) if n not in kept]
    safety.clean_up(run, deployed.created, tuple(names))


def _unproven(run: Run) -> bool:
    """Return whether a promotion was begun and no answer has proven it: all copies stay then."""
    last = record.last_phase(run.record.entries())
    return last is not None and last[0] == Phase.PROMOTING
