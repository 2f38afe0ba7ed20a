"""The executor: runs as tasks of Ray, each with its threads as processors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, final

from linewise.study.cluster.connecting import connect, loss
from linewise.study.cluster.nodes import Nodes
from linewise.study.cluster.place import Place
from linewise.study.cluster.signals import Noted, undisturbed
from linewise.study.executors import GRACE_S, POLL_S, Executor, OnEnd, usable_cores
from linewise.study.watch import HANG_S, Retries
from linewise.study.worker import pinned

J = TypeVar("J")


@final
class RayTasks(Executor):
    """Tasks of a Ray cluster; results come back as files, and nothing else is shared.

    A job whose node or process is lost is tried again, from its last checkpoint that came back where it has
    some, as often as one of worker processes (`Retries`). On an interrupt the tasks are asked to stop, and have
    ten seconds to send a checkpoint; a second interrupt ends them at once. The interrupt goes on. If the
    launcher dies, Ray ends its tasks.

    Args:
        place: which cluster.
        threads: processor threads of each job.
        most: jobs side by side; None as many as the cluster holds.
        hang_s: seconds without a next step after which a task counts as hung; 0: never.
    """

    def __init__(self, place: Place, threads: int, most: int | None = None, hang_s: float = HANG_S) -> None:
        self.place, self.threads, self.most, self.hang_s = place, threads, most, hang_s
        self._connected = self._own = self._lost = False
        self._post: Any = None
        self._store: Any = None
        self._preparing: list[Any] = []
        self._nodes = Nodes(threads, place)

    @property
    def width(self) -> int:  # type: ignore[override]
        self._connect()
        room = self._nodes.room()
        return max(1, min(self.most, room) if self.most else room)

    def begin(self, prepare: Callable[[], None], jobs: int) -> None:
        self._connect()
        import ray  # which reads what `connect` puts into the environment

        task = ray.remote(prepare).options(**self._options())
        self._preparing = [task.remote() for _ in range(min(self.width, jobs))]

    def close(self, at_once: bool = False) -> None:
        if not self._connected:
            return
        import ray

        with undisturbed():
            if not self._lost:
                for reference in self._preparing:
                    ray.cancel(reference, force=at_once)
                if self._post is not None:
                    ray.kill(self._post)
            self._preparing, self._post, self._store = [], None, None
            if self._own:
                ray.shutdown()
        self._connected = self._own = self._lost = False

    def _connect(self) -> None:
        if not self._connected:
            self._own = connect(self.place, max(usable_cores(), self.threads))
            self._connected = True

    def _options(self) -> dict[str, Any]:
        """Of a task: Ray would try it again itself, from the beginning and without a word."""
        return {
            "num_cpus": self.threads, "max_retries": 0, "runtime_env": {"env_vars": pinned(self.threads)},
        }  # fmt: skip

    def run(
        self,
        function: Callable[[J], None],
        jobs: Sequence[J],
        on_end: OnEnd[J],
        on_poll: Callable[[], None] = lambda: None,
        on_again: OnEnd[J] = lambda job, cause: None,
    ) -> None:
        with Noted() as noted:
            self._run(function, jobs, on_end, on_poll, on_again, noted)
            noted.obey()  # one that came with the last end

    def _run(
        self,
        function: Callable[[J], None],
        jobs: Sequence[J],
        on_end: OnEnd[J],
        on_poll: Callable[[], None],
        on_again: OnEnd[J],
        noted: Noted,
    ) -> None:
        if not jobs:
            return
        self._connect()
        self._furnish()
        from linewise.study.cluster.tasks import Tasks

        tasks = Tasks[J](function, self._options(), self._post, self._store, self.hang_s)
        waiting = deque(jobs)
        retries: Retries[J] = Retries()
        try:
            while waiting or tasks.running:
                while waiting and (not self.most or len(tasks.running) < self.most):
                    tasks.start(waiting.popleft())
                for job, ending in tasks.ended(POLL_S):
                    if not ending.lost:
                        on_end(job, ending.failure)
                        continue
                    if retries.again(job, ending.lost):
                        waiting.appendleft(job)
                        on_again(job, ending.lost)
                    else:
                        on_end(job, retries.reason(job))
                on_poll()
                self._nodes.watch()
                noted.obey()
        except (KeyboardInterrupt, SystemExit):
            tasks.dismiss(GRACE_S, lambda: bool(noted.signum))
            on_poll()
            raise
        except BaseException as error:
            if lost := loss(self.place, error):
                self._lost = True
                raise lost from None
            tasks.dismiss(0)
            raise

    def _furnish(self) -> None:
        """An actor for what comes back, where this process's connection is, and the object store."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from linewise.study.cluster.post import Post
        from linewise.study.cluster.sharing import Store

        if self._post is None:
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
            self._post = ray.remote(Post).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
            self._store = Store()
