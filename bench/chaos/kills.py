"""What is done to a run: ten ways in which something of it, or under it, dies.

Each takes the place and the run, and returns whether it hit anything.  Processes are known by what
the kernel or the cluster's tool says of them, and ended by their id.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cluster import Place

BED = Path(__file__).resolve().parents[2] / "tests" / "cluster" / "bed"
FIND_SECONDS = 5.0
OOM_SECONDS, REPORT_SECONDS = 20.0, 2.0
SPARE_BYTES, TRIES = 8 * 1024, 50
DOWN_SECONDS = 2.0
PORTS = {"apiserver": 6443, "workflow-controller": 9090}
Kill = Callable[[Place, str], bool]


def _bed() -> None:
    """Make the cluster's own tool importable; its modules have short names."""
    if str(BED) not in sys.path:
        sys.path.append(str(BED))


def step_container(here: Place, run: str) -> bool:
    """Kill the process of the step that runs now (SIGKILL)."""
    found = _step(run)
    if found is not None:
        os.kill(found, signal.SIGKILL)
    return found is not None


def out_of_memory(here: Place, run: str) -> bool:
    """Leave the step that runs now no memory beyond what it holds: the kernel kills it."""
    found = _step(run)
    group = None if found is None else _memory_group(found)
    if found is None or group is None:
        return False
    limit, before = group / "memory.limit_in_bytes", (group / "memory.limit_in_bytes").read_text()
    if not any(_limited(group) for _ in range(TRIES)):
        return False
    end = time.monotonic() + OOM_SECONDS
    while time.monotonic() < end:
        if not Path(f"/proc/{found}").exists():
            time.sleep(REPORT_SECONDS)
            return _killed_by_kernel(here, run)
        time.sleep(0.1)
    with suppress(OSError):
        limit.write_text(before)
    return False


def _limited(group: Path) -> bool:
    """Leave a group what it holds now and a little; False when it took more meanwhile."""
    with suppress(OSError):
        held = int((group / "memory.usage_in_bytes").read_text())
        (group / "memory.limit_in_bytes").write_text(str(held + SPARE_BYTES))
        return True
    return False


def _killed_by_kernel(here: Place, run: str) -> bool:
    """Return whether a container of the run ended by SIGKILL, as the node reports it."""
    codes = here.cluster.kubectl(
        "get", "pods", "-n", here.name, "-l", f"workflows.argoproj.io/workflow={run}", "-o",
        "jsonpath={.items[*].status.containerStatuses[*].state.terminated.exitCode}",
    )  # fmt: skip
    return str(128 + signal.SIGKILL) in codes.split()


def _memory_group(process: int) -> Path | None:
    """Return the folder of a process's memory control group (version 1 has one)."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return Path(f"/sys/fs/cgroup/memory{path}")
    return None


def _step(run: str) -> int | None:
    """Return the process of the step that runs now, None when there is none for a while."""
    end = time.monotonic() + FIND_SECONDS
    while time.monotonic() < end:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if _is_step(words, run):
                return int(folder.name)
        time.sleep(0.05)
    return None


def _is_step(words: list[bytes], run: str) -> bool:
    """Return whether a command line is of a step of the run: not the guard, not the executor."""
    if b"crossfade_steps" not in words or not words[0].rpartition(b"/")[2].startswith(b"python"):
        return False
    return run.encode() in words and b"guard" not in words


def pod(here: Place, run: str) -> bool:
    """Delete the pod of the step that runs now, without grace."""
    name = _pod(here, run)
    if name is not None:
        here.cluster.kubectl("delete", "pod", "-n", here.name, name, "--force",
                             "--grace-period=0", "--wait=false")  # fmt: skip
    return name is not None


def evicted(here: Place, run: str) -> bool:
    """Evict the pod of the step that runs now, as the drain of a node does."""
    name = _pod(here, run)
    if name is None:
        return False
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": name, "namespace": here.name}}  # fmt: skip
    path = f"/api/v1/namespaces/{here.name}/pods/{name}/eviction"
    done = here.cluster.run("kubectl", "create", "--raw", path, "-f", "-",
                            text=json.dumps(eviction))  # fmt: skip
    return done.code == 0


def _pod(here: Place, run: str) -> str | None:
    """Return the pod of the step that runs now, None when there is none for a while."""
    end = time.monotonic() + FIND_SECONDS
    while time.monotonic() < end:
        found = json.loads(here.cluster.kubectl(
            "get", "pods", "-n", here.name, "-l", f"workflows.argoproj.io/workflow={run}",
            "-o", "json",
        ))["items"]  # fmt: skip
        alive = [p["metadata"]["name"] for p in found
                 if p["status"]["phase"] in ("Pending", "Running")]  # fmt: skip
        if alive:
            return str(alive[0])
        time.sleep(0.2)
    return None


def _killed(name: str) -> bool:
    _bed()
    import processes
    from settings import STATE

    file = STATE / f"{name}.pid"
    if not processes.alive(name):
        return False
    os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
    while processes.alive(name) or processes.listens(PORTS[name]):
        time.sleep(0.05)
    time.sleep(DOWN_SECONDS)
    return True


def controller(here: Place, run: str) -> bool:
    """Kill the workflow controller and start it again."""
    if not _killed("workflow-controller"):
        return False
    import argo

    argo.up(here.cluster.images["argoexec"])
    return True


def api_server(here: Place, run: str) -> bool:
    """Kill the API server and start it again."""
    if not _killed("apiserver"):
        return False
    import control_plane

    control_plane.up()
    return True


def node(here: Place, run: str) -> bool:
    """Kill the kubelet, containerd and every container, and start the node again."""
    _bed()
    import node as machine
    import processes

    for name in ("kubelet", "containerd"):
        processes.stop(name, seconds=0)
    machine.clear()
    time.sleep(DOWN_SECONDS)
    machine.up()
    return True


def stop(here: Place, run: str) -> bool:
    """``argo stop``: exit handlers run."""
    return here.cluster.run("argo", "stop", run, "-n", here.name).code == 0


def terminate(here: Place, run: str) -> bool:
    """``argo terminate``: no exit handler runs."""
    return here.cluster.run("argo", "terminate", run, "-n", here.name).code == 0


def delete(here: Place, run: str) -> bool:
    """Delete the Workflow and with it every pod of its own."""
    words = ("delete", "workflow", run, "-n", here.name, "--wait=false")
    return here.cluster.run("kubectl", *words).code == 0


LOCAL: dict[str, Kill] = {"SIGKILL of the step": step_container, "pod deleted": pod,
                          "argo stop": stop, "argo terminate": terminate,
                          "Workflow deleted": delete}  # fmt: skip
SHARED: dict[str, Kill] = {"controller killed": controller, "API server killed": api_server}
"""These hit every run there is, so they are tried with one run at a time."""
KILLS = {**LOCAL, **SHARED}
MORE_LOCAL: dict[str, Kill] = {"pod evicted": evicted, "out of memory": out_of_memory}
MORE_SHARED: dict[str, Kill] = {"node restarted": node}
MORE = {**MORE_LOCAL, **MORE_SHARED}
