import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import crossfade
import crossfade_steps

FOLDER = Path(crossfade_steps.__file__).parent
SOURCES = [Path(crossfade.__file__).parents[1], FOLDER.parent]
ON_A_CLUSTER = [*FOLDER.glob("*.py"), *(FOLDER / "cluster").glob("*.py")]
LISTENING = re.compile(r"^\s*(import|from) (http\.server|aiohttp|socketserver)", re.M)


@pytest.mark.parametrize(
    "module", ["crossfade", "crossfade.api", "crossfade.cli.app", "crossfade_steps.cluster.steps"]
)
def test_both_packages_import_without_hera(module: str) -> None:
    """A step starts every iteration, and a command every time: Hera costs half a second."""
    code = f"import sys; sys.modules['hera'] = None; import {module}"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES))}

    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_of_a_run_on_a_cluster_listens() -> None:
    """C79: there is no dashboard; who may promote is for the cluster's own rights to say."""
    assert {"__main__.py", "kube.py", "steps.py"} <= {file.name for file in ON_A_CLUSTER}
    assert LISTENING.search("    from http.server import HTTPServer")

    assert [file for file in ON_A_CLUSTER if LISTENING.search(file.read_text())] == []
