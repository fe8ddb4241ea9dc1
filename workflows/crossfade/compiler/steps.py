"""The order of a workflow's steps, written with Hera.

No step refers to an output of a step that may be skipped: what depends on a choice is a template of
its own, run or skipped as a whole, and the loop's result is a ternary.
"""

from __future__ import annotations

from hera.workflows import Parameter, Step, Steps, Suspend
from hera.workflows import models as m

from crossfade import contract
from crossfade.compiler.templates import Containers, own_inputs, report
from crossfade.frame import frame, timed
from crossfade.spec.rollout import Approval, Bundle, Loop

LOOP_RESULT = (
    "steps['iteration'].outputs.parameters.action == 'continue' ? "
    "steps['again'].outputs.parameters.action : steps['iteration'].outputs.parameters.action"
)


def add_templates(bundle: Bundle, containers: Containers) -> None:
    """Add every template to the workflow whose context is open; the entrypoint is ``main``."""
    for step in (contract.CHECK, contract.DEPLOY, contract.LOAD, contract.RESTORE,
                 contract.PROMOTE, contract.VERIFY):  # fmt: skip
        containers.template(step)
    kept = [report()] if bundle.report_artifact else []
    containers.template(contract.FINISH, retries=5, artifacts=kept)
    if bundle.loop is Loop.POD:
        containers.template(contract.ITERATE, retries=5)
    else:
        _iterations(bundle, containers)
    _promotion(bundle, containers)
    _rollout(bundle)
    _main(bundle)


def _when(step: str, output: str, value: str, *, negated: bool = False) -> str:
    operator = "!=" if negated else "=="
    return f"{{{{= steps['{step}'].outputs.parameters.{output} {operator} '{value}' }}}}"


def _given(step: contract.Step, **values: str) -> dict[str, str]:
    """Return the arguments of a step, taken from the caller's inputs unless given here."""
    return {
        name: values.get(name, f"{{{{inputs.parameters.{name}}}}}") for name in own_inputs(step)
    }


def _output(step: str, name: str) -> str:
    return f"{{{{steps.{step}.outputs.parameters.{name}}}}}"


def _main(bundle: Bundle) -> None:
    digest = _output("check", "digest")
    with Steps(name="main"):
        Step(name="check", template="check", arguments={"frame": frame(bundle)})
        Step(name="deploy", template="deploy", arguments=_given(contract.DEPLOY, digest=digest))
        Step(
            name="rollout",
            template="rollout",
            arguments={"digest": digest},
            when=_when("deploy", "action", contract.ITERATE_NOW),
        )


def _rollout(bundle: Bundle) -> None:
    start = _output("load", "start")
    inputs = [Parameter(name="digest")]
    with Steps(name="rollout", inputs=inputs) as rollout:
        Step(name="load", template="load", arguments=_given(contract.LOAD))
        if bundle.loop is Loop.POD:
            Step(name="iterate", template="iterate",
                 arguments=_given(contract.ITERATE, start=start))  # fmt: skip
        else:
            arguments = {"digest": "{{inputs.parameters.digest}}", "start": start, "k": "1"}
            if timed(bundle):
                arguments["pause"] = _output("load", "pause")
            Step(name="iterate", template="iterations", arguments=arguments)
        promote = _when("iterate", "action", contract.PROMOTE_NOW)
        restore = _when("iterate", "action", contract.PROMOTE_NOW, negated=True)
        with rollout.parallel():
            digest = {"digest": "{{inputs.parameters.digest}}"}
            Step(name="promotion", template="promotion", arguments=digest, when=promote)
            Step(name="restore", template="restore", arguments=digest, when=restore)


def _iterations(bundle: Bundle, containers: Containers) -> None:
    """One pod an iteration; the template calls itself while the answer is ``continue``."""
    containers.pair("iteration", contract.EVALUATE, contract.SET_WEIGHTS)
    by_timer = timed(bundle)
    if by_timer:
        Suspend(name="timer", inputs=[Parameter(name="pause")],
                duration="{{inputs.parameters.pause}}")  # fmt: skip
    names = ["digest", "start", "k", *(["pause"] if by_timer else [])]
    result = Parameter(name="action", value_from=m.ValueFrom(expression=LOOP_RESULT))
    inputs = [Parameter(name=name) for name in names]
    with Steps(name="iterations", inputs=inputs, outputs=[result]):
        if by_timer:
            Step(name="timer", template="timer",
                 arguments={"pause": "{{inputs.parameters.pause}}"})  # fmt: skip
        Step(name="iteration", template="iteration", arguments=_given(contract.SET_WEIGHTS))
        arguments = {
            "digest": "{{inputs.parameters.digest}}",
            "start": "{{inputs.parameters.start}}",
            "k": _output("iteration", "next"),
        }
        if by_timer:
            arguments["pause"] = _output("iteration", "pause")
        Step(name="again", template="iterations", arguments=arguments,
             when=_when("iteration", "action", contract.CONTINUE))  # fmt: skip


def _promotion(bundle: Bundle, containers: Containers) -> None:
    digest = {"digest": "{{inputs.parameters.digest}}"}
    with Steps(name="promote-and-verify", inputs=[Parameter(name="digest")]):
        Step(name="promote", template="promote", arguments=digest)
        Step(name="verify", template="verify", arguments=digest)
    asks = bundle.approval is Approval.BEFORE_PROMOTE
    if asks:
        _gate(containers)
    with Steps(name="promotion", inputs=[Parameter(name="digest")]) as promotion:
        if not asks:
            Step(name="promote", template="promote-and-verify", arguments=digest)
            return
        with promotion.parallel():
            Step(name="approval", template="approval")
            Step(name="watch", template="watch", arguments=digest)
        with promotion.parallel():
            Step(name="promote", template="promote-and-verify", arguments=digest,
                 when=_when("approval", "decision", "yes"))  # fmt: skip
            Step(name="restore", template="restore", arguments=digest,
                 when=_when("approval", "decision", "yes", negated=True))  # fmt: skip


def _gate(containers: Containers) -> None:
    """Let a person decide; the default is no, and one pod keeps the alarms on meanwhile."""
    containers.template(contract.WATCH)
    decision = Parameter(
        name="decision", default="no", enum=["no", "yes"],
        description="yes: promote the winner. no: all traffic back to the baseline.",
    )  # fmt: skip
    Suspend(name="approval", intermediate_parameters=[decision])
