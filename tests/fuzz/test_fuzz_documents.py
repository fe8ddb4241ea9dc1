"""Mutated files never get anything but findings out of the loader, and never hang it.

500 files in a normal run; CROSSFADE_FUZZ names another number (make fuzz: 10,000).
"""

from __future__ import annotations

import faulthandler
import os
import random
import sys
import time
from pathlib import Path

from crossfade.lint import lint
from crossfade.spec.loading import load
from crossfade.spec.source import Loaded

ROOT = Path(__file__).resolve().parents[2]
FILES = int(os.environ.get("CROSSFADE_FUZZ", "500"))
SECONDS = 5.0
TOKENS = [
    "{", "}", "[", "]", "*a", "&a ", "<<: *a", "- ", ": ", "\t", "\x00", "\x1b[31m", "\u2028", "é",
    "!!binary x", "!!python/object:os.system ls", "1e999", "-0", "0x", "NaN", ".inf", "~", "null",
    "2001-01-01", "? ", "| ", "> ", "'", '"', "#", "%YAML 1.2\n", "---\n", "...\n", "${", "$",
    "{{ x }}", "9" * 400, "[" * 200, "a: " * 100, "kind: List\nitems: ", "kind: Rollout",
]  # fmt: skip


JOB = """
---
apiVersion: batch/v1
kind: Job
metadata: {name: load}
spec:
  template:
    spec:
      containers:
      - name: fortio
        image: fortio/fortio
        command: [fortio, load, -qps, "5", -t, 60s, -H, "Host: a", -payload, "{}", $(URL)]
        env: [{name: URL, value: http://gateway/api}]
"""


def seeds() -> list[Path]:
    folders = [ROOT / "workflows" / "examples", ROOT / "tests" / "data"]
    files = [p for folder in folders for p in sorted(folder.rglob("*")) if p.suffix in SUFFIXES]
    return [p for p in files if not p.name.startswith("workflow")]


SUFFIXES = (".yaml", ".json")


def mutated(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    for _ in range(rng.choice((1, 1, 2, 5))):
        kind, i = rng.randrange(6), rng.randrange(max(1, len(lines)))
        line = lines[i] if lines else ""
        if kind == 0 and lines:
            del lines[i]
        elif kind == 1:
            lines.insert(i, line * rng.randint(1, 50))
        elif kind == 2:
            at = rng.randrange(len(line) + 1)
            lines[i : i + 1] = [line[:at] + rng.choice(TOKENS) + line[at:]]
        elif kind == 3:
            lines[i : i + 1] = [" " * rng.randrange(8) + line.lstrip()]
        elif kind == 4:
            key, colon, _ = line.partition(":")
            lines[i : i + 1] = [f"{key}{colon} {rng.choice(TOKENS)}\n"]
        else:
            lines[i : i + 1] = [line[: rng.randrange(len(line) + 1)]]
    return "".join(lines)


def try_file(path: Path) -> bool:
    """Load and lint a file; return whether it still gave a bundle."""
    loaded = load([path])
    if loaded.bundle is not None:
        lint(Loaded(loaded.bundle, loaded.findings, loaded.documents))
    for finding in loaded.findings:
        assert str(finding)
    return loaded.bundle is not None


def test_mutated_files_only_give_findings(tmp_path: Path) -> None:
    texts = [path.read_text(errors="replace") for path in seeds()]
    example = [p for p in seeds() if p.parent.name == "iris" and p.stem != "rollout"]
    whole = "\n---\n".join(path.read_text() for path in example)
    texts += [whole + JOB] * len(texts)  # half of the tries mutate a whole rollout
    slowest, bundles = 0.0, 0
    for number in range(FILES):
        rng = random.Random(number)
        file = tmp_path / "f.yaml"
        data = mutated(rng.choice(texts), rng).encode("utf-8", "surrogatepass")
        if rng.random() < 0.1:
            position = rng.randrange(len(data) + 1)
            data = data[:position] + rng.randbytes(4) + data[position:]
        file.write_bytes(data)
        faulthandler.dump_traceback_later(SECONDS, exit=True, file=sys.__stderr__)
        begin = time.monotonic()
        try:
            bundles += try_file(file)
        except BaseException:
            print(f"mutation {number}:\n{data!r}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, time.monotonic() - begin)
    print(f"{FILES} files, {bundles} of them still a rollout, slowest {slowest:.2f} s")
    assert bundles > FILES / 50, "the mutations are so coarse that lint is never reached"
