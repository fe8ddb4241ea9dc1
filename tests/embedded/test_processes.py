from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossfade.errors import BackendError
from crossfade_steps.embedded.processes import Child, Processes, ending, tail
from crossfade_steps.embedded.watchdog import marked

# starts a child that has a child of its own, which leaves the group as a daemon would
SCRIPT = """
import sys, time
from pathlib import Path
from crossfade_steps.embedded.processes import Processes
processes = Processes(Path(sys.argv[1]))
processes.start("sleeper", ["bash", "-c", "sleep 300 & setsid sleep 300 & sleep 300"])
print(processes._mark, flush=True)
time.sleep(300)
"""


def until(check: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "logs")
    yield made
    made.stop_all()


def told(processes: Processes, child: Child) -> str:
    child.process.wait()
    return processes.failed() or ""


def test_a_child_s_death_is_told_with_its_name_its_code_and_its_last_words(
    processes: Processes,
) -> None:
    child = processes.start("envoy", ["bash", "-c", "echo one; echo no such route >&2; exit 4"])

    assert told(processes, child) == (
        f"envoy ended with exit code 4: one | no such route (log: {child.log})"
    )


def test_a_child_s_death_is_told_by_its_error_and_not_by_the_frames_behind_it(
    tmp_path: Path,
) -> None:
    log = tmp_path / "model.log"
    frames = "\n".join(f"  [bt] ({i}) libxgboost.so(+0x{i}) [0x7f]" for i in range(9))
    trace = 'Traceback (most recent call last):\n  File "server.py", line 1, in load\n    load()\n'
    reason = "xgboost.core.XGBoostError: [09:41:51] json_io.h:190: Unexpected end of file"

    log.write_text(f"ready\n{trace}{reason}\nStack trace:\n{frames}\n\nShutting down\n")
    assert tail(log) == f"{reason} (log: {log})"

    log.write_text(f"one\nno such model\nStack trace:\n{frames}\n")
    assert tail(log) == f"one | no such model (log: {log})"

    log.write_text("OldError: long ago\n" + "alive\n" * 100)
    assert tail(log).startswith("alive | alive")


def test_a_server_that_ends_without_an_error_has_failed_too(processes: Processes) -> None:
    child = processes.start("envoy", ["true"])

    assert told(processes, child) == (
        f"envoy ended with exit code 0: it said nothing (log: {child.log})"
    )


def test_load_may_end_but_only_well(processes: Processes) -> None:
    assert told(processes, processes.start("load", ["true"], may_end=True)) == ""
    assert "load-2 ended with exit code 1" in told(
        processes, processes.start("load-2", ["false"], may_end=True)
    )


def test_a_killed_child_is_told_by_its_signal(processes: Processes) -> None:
    child = processes.start("model", ["sleep", "300"])
    child.process.kill()

    assert told(processes, child).startswith("model was killed by SIGKILL")
    assert ending(-signal.SIGSEGV) == "was killed by SIGSEGV"


def test_a_child_that_was_stopped_has_not_failed(processes: Processes) -> None:
    child = processes.start("old copy", ["sleep", "300"])

    processes.stop(child)

    assert child.process.poll() == -signal.SIGTERM
    assert processes.failed() is None


def test_a_child_that_ignores_the_polite_signal_is_killed(processes: Processes) -> None:
    child = processes.start("deaf", ["bash", "-c", "trap '' TERM; echo up; while :; do :; done"])
    until(lambda: child.log.read_text() == "up\n")

    processes.stop(child)

    assert child.process.poll() == -signal.SIGKILL


def test_stopping_ends_what_the_children_started_and_refuses_to_start_more(
    processes: Processes,
) -> None:
    processes.start("sleeper", ["bash", "-c", "setsid sleep 300 & sleep 300"])
    until(lambda: len(marked(processes._mark)) == 3)

    processes.stop_all()

    assert marked(processes._mark) == set()
    assert processes.failed() is None
    with pytest.raises(BackendError, match="late: not started"):
        processes.start("late", ["sleep", "300"])


def test_a_program_that_is_not_there_is_named(processes: Processes) -> None:
    with pytest.raises(BackendError, match="envoy: cannot start /no/envoy: No such file"):
        processes.start("envoy", ["/no/envoy"])


def test_a_dead_watchdog_is_a_failure(processes: Processes) -> None:
    processes._watchdog.kill()
    processes._watchdog.wait()

    assert processes.failed() == "the watchdog was killed by SIGKILL"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_outlives_a_parent_that_dies(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        mark = parent.stdout.readline().strip()
        until(lambda: len(marked(mark)) == 4)

        parent.send_signal(number)
        parent.wait()

    until(lambda: not marked(mark))


def test_a_child_that_the_watchdog_was_not_told_of_is_found(tmp_path: Path) -> None:
    script = SCRIPT.replace("processes.start", "processes._tell = print\nprocesses.start")
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        mark = parent.stdout.readlines(20)[-1].strip()
        parent.kill()
        parent.wait()

    until(lambda: not marked(mark))
