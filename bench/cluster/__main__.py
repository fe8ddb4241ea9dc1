"""Long measurements on a cluster: ``python bench/cluster PART...``.

timing     10 iterations of 10 s and of 30 s, both loops: drift, decision to weight, pods, sizes
split      the weights set against the versions that answered, counted at the gateway
thousand   1,000 iterations of 1 s in one container: the Workflow's size, the container's memory
many       25 rollouts at once over two shared servers
breach     an error rate broken in mid-run: from visible in Prometheus to weight 0 written
contend    eight contenders for one Lease, 200 times; 20 Workflows for one route

What is measured is appended to ``bench/cluster/results.jsonl``, one line a run; ``page`` writes the
tables of ``docs/measured.md`` from it.  It wants ``make cluster``.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests" / "cluster"
sys.path.insert(0, str(TESTS))
import parts  # noqa: E402
import results  # noqa: E402
import safety  # noqa: E402

from conftest import open_cluster  # noqa: E402

PARTS = {**parts.PARTS, **safety.PARTS}


def main() -> None:
    """Measure what the words name, or everything."""
    words = sys.argv[1:] or list(PARTS)
    if words == ["page"]:
        results.PAGE.write_text(results.page())
        return
    unknown = [word for word in words if word not in PARTS]
    if unknown:
        sys.exit(f"{', '.join(unknown)}: expected {', '.join(PARTS)} or page")
    cluster = open_cluster(lambda name: None)
    for word in words:
        PARTS[word](cluster)
        results.PAGE.write_text(results.page())


if __name__ == "__main__":
    main()
