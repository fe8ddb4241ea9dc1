"""The page ``docs/lint.md``, generated from the rules."""

from __future__ import annotations

from crossfade.lint import RULES

NOT_FROM_A_FILE = {
    "D13": "prose beside the file; `describe` says the real duration",
    "D14": "every run waits until both versions are ready",
    "D17": "promotion applies, waits, verifies and only then shifts traffic",
    "D19": "a patch tests the destination before it changes a weight",
    "D21": "a run without a winner ends as `inconclusive`, never as a promotion of the baseline",
    "D25": "limits may be integers, floats or quantities",
    "D28": "promotion is verified by the `version` response header",
    "D29": "whether users stick to a version shows in the routing object only (rule Notes)",
    "D30": "said by policy `iter8`, which keeps the 5 %",
}
HEAD = """# Lint rules

Generated from the rules (`make docs`); `crossfade lint` reports them with file, line and field.
D1 to D30 are the traps of the predecessor's published example; C63 to C67 are faults that bit users
of other tools (C65, a limit in the wrong unit, is part of D2, too). A rule of severity error makes
`crossfade lint` exit with 2. Errors other than D rules also keep `run` and `compile` from starting;
what Argo alone cannot do (Nodes) does not concern `run`, and `compile --loop pod` can.

| rule | severity | what is wrong | what to do |
|---|---|---|---|
"""
MIDDLE = """
## What a file cannot show

| defect | why lint does not report it |
|---|---|
"""
POLICY = """
## What the policy adds

Policy `iter8` reports V9 (weights move without data), V26 (one-sided rewards), V28 (no objectives)
and D30 (5 % for an infeasible candidate), unless the rollout's `policy.accept` lists them.
"""


def page() -> str:
    """Return the page's text."""
    rules = sorted(RULES, key=lambda rule: (rule.id[0] not in "DC", rule.id[0], _number(rule.id)))
    rows = [f"| {r.id} | {r.severity} | {r.title} | {r.remedy} |\n" for r in rules]
    reasons = [f"| {name} | {why} |\n" for name, why in NOT_FROM_A_FILE.items()]
    return HEAD + "".join(rows) + MIDDLE + "".join(reasons) + POLICY


def _number(identity: str) -> tuple[int, str]:
    return (int(identity[1:]), "") if identity[1:].isdigit() else (0, identity)
