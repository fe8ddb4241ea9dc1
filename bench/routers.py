"""The routers' contract suite, on the fake and on the real API server: ``python bench/routers.py``.

Runs both and writes ``docs/routers.md``: which check held for which kind, and where.  It wants
``make cluster``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as Tree
from collections import defaultdict
from pathlib import Path

from crossfade.routes import kinds

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "routers.md"
SUITES = {"fake": "tests/contracts/test_routers.py", "real": "tests/cluster/test_api.py"}
Seen = dict[tuple[str, str], list[str]]


def outcomes(suite: str) -> Seen:
    """Return how each check came out, by check and kind."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [sys.executable, "-m", "pytest", "-q", SUITES[suite], f"--junitxml={report}"]
        subprocess.run(words, cwd=ROOT, check=False, capture_output=True)
        cases = list(Tree.parse(report).getroot().iter("testcase"))
    found: Seen = defaultdict(list)
    for case in cases:
        match = re.fullmatch(r"test_(\w+)\[(\w+)(?:-.*)?\]", case.get("name", ""))
        if match is not None and match[2] in {kind for _, kind in kinds()}:
            skipped, failed = case.find("skipped"), case.find("failure") or case.find("error")
            word = "-" if skipped is not None else "no" if failed is not None else "yes"
            found[match[1].replace("_", " "), match[2]].append(word)
    return found


def page(by_suite: dict[str, Seen]) -> str:
    """Return the table: kinds down, checks across; a cell is fake, real."""
    groups: dict[str, list[str]] = defaultdict(list)
    for group, kind in sorted(kinds()):
        groups[kind].append(group)
    checks = list(dict.fromkeys(check for seen in by_suite.values() for check, _ in seen))
    lines = [
        "# Routers", "",
        f"Written by `python bench/routers.py` on {time.strftime('%Y-%m-%d')}: every kind that "
        "weights are driven in, against the same checks on the embedded store and on a real API "
        "server (fake, real; `-` where a kind has nothing to check, `.` where a check runs on one "
        "of them only).", "",
        "| kind | group | " + " | ".join(checks) + " |",
        "| --- | --- |" + " --- |" * len(checks),
    ]  # fmt: skip
    for kind in sorted(groups):
        cells = [", ".join(_cell(by_suite[suite].get((check, kind))) for suite in SUITES)
                 for check in checks]  # fmt: skip
        lines.append(f"| {kind} | {', '.join(groups[kind])} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _cell(words: list[str] | None) -> str:
    if not words:
        return "."
    return "no" if "no" in words else "-" if set(words) == {"-"} else "yes"


def main() -> None:
    """Run both suites and write the page; exit 1 when a check did not hold."""
    text = page({suite: outcomes(suite) for suite in SUITES})
    PAGE.write_text(text)
    print(text)
    sys.exit(1 if re.search(r"\bno\b,|, no\b", text) else 0)


if __name__ == "__main__":
    main()
