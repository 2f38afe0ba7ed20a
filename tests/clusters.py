"""A real Ray cluster of several nodes on 127.0.0.1, in a process of its own; nodes can be killed.

with cluster() as c: linewise.compare(…, on=c.address); c.kill_node()
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

OWN = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "linewise-tests-linewise-tests-00",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray takes 127.0.0.1 as it is
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",
}
os.environ.update(OWN)  # Ray reads them when it is loaded, in this process and in those begun by it
MEMORY = 80 << 20


class Cluster:
    """A head without processors, and nodes with one processor each.

    Attributes:
        address, outside: for `--on`: of a node, and from a machine that is none.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address, self.outside = self._answer().split()

    def num_busy(self) -> int:
        """Runs that are being trained on its nodes."""
        return int(self._tell("busy"))

    def kill_node(self) -> None:
        """A node that trains, with `kill -9`, and all its processes."""
        self._tell("kill")

    def kill_head(self) -> None:
        """The head's process that all others ask, with `kill -9`."""
        self._tell("behead")

    def add_node(self) -> None:
        self._tell("add")

    @contextmanager
    def pretending(self, ray_version: str) -> Iterator[None]:
        """The cluster says that it runs another version of Ray."""
        before = self._tell(f"version {ray_version}")
        try:
            yield
        finally:
            self._tell(f"version {before}")

    def _tell(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("answer: "):
                return line.removeprefix("answer: ").strip()
        raise AssertionError(f"the cluster's process ended ({self._process.wait()})")


@contextmanager
def cluster(nodes: int = 2) -> Iterator[Cluster]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the client server starts `python`
    process = subprocess.Popen(
        [sys.executable, __file__, str(nodes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PATH": path},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as in a script's background
    )  # fmt: skip
    with process:
        try:
            yield Cluster(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # which ends it
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def checkpoints(study: Path) -> set[str]:
    """Runs of a study that have some."""
    return {path.parent.parent.name for path in study.glob("runs/[!.]*/checkpoint/[0-9]*.json")}


def _num_runs(node: Any) -> int:
    """Runs that the processes of a node are training."""
    (raylet,) = node.all_processes["raylet"]
    commands = []
    for child in psutil.Process(raylet.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            commands.append(" ".join(child.cmdline()))
    return sum("ray::carry_out" in command for command in commands)


def _say(text: str) -> None:
    sys.stdout.write(f"answer: {text}\n")
    sys.stdout.flush()


def _serve(number: int) -> None:
    from ray._common.usage import usage_lib
    from ray.cluster_utils import Cluster as Nodes

    from postgres import free_port

    common = {"node_ip_address": "127.0.0.1", "include_dashboard": False, "object_store_memory": MEMORY}
    port = free_port()
    nodes = Nodes(initialize_head=True, head_node_args={**common, "num_cpus": 0, "ray_client_server_port": port})
    added = [nodes.add_node(num_cpus=1, wait=False, **common) for _ in range(number)]
    nodes.wait_for_nodes()
    gcs = nodes.head_node.get_gcs_client()
    _say(f"{nodes.address} ray://127.0.0.1:{port}")
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        answer = ""
        if verb == "kill":
            lost = next(node for node in added if _num_runs(node))
            added.remove(lost)
            nodes.remove_node(lost, allow_graceful=False)
        elif verb == "behead":
            nodes.head_node.kill_gcs_server()
        elif verb == "busy":
            answer = str(sum(map(_num_runs, added)))
        elif verb == "add":
            added.append(nodes.add_node(num_cpus=1, **common))
        elif verb == "version":
            metadata = usage_lib.get_cluster_metadata(gcs)
            answer, metadata["ray_version"] = metadata["ray_version"], rest
            gcs.internal_kv_put(
                usage_lib.usage_constant.CLUSTER_METADATA_KEY,
                json.dumps(metadata).encode(),
                True,
                namespace=usage_lib.ray_constants.KV_NAMESPACE_CLUSTER,
            )
        _say(answer)
    nodes.shutdown()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
