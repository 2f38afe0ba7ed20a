"""What a launcher may want to hear while a study goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from linewise.foundations.records import StudySpec, TuningPlan
from linewise.foundations.tuning import NetworkTuning, TrialRecord
from linewise.study.heartbeat import Beat


@dataclass
class Events:
    """Each is called in the launching process.

    Attributes:
        planned: the specification, and the names of the runs that are missing.
        compiling: kernels are about to be compiled, which is done once on a machine.
        progress: where runs are.
        ended: a run, and why it failed.
        opened: how many runs answer the test images.
        warned: what a person should know.
        tuning: the plan, and how many trials of each network have ended already.
        trying: where trials are, by `<label>-trial-<number>`.
        tried: a network's label, and its trial that ended.
        chosen: a network whose settings are decided.
        elsewhere: how many trials other launchers have at work, where this one has to wait for them.
    """

    planned: Callable[[StudySpec, list[str]], None] = lambda spec, missing: None
    progress: Callable[[dict[str, Beat]], None] = lambda beats: None
    ended: Callable[[str, str], None] = lambda key, failure: None
    opened: Callable[[int], None] = lambda runs: None
    warned: Callable[[str], None] = lambda text: None
    tuning: Callable[[TuningPlan, dict[str, int]], None] = lambda plan, ended: None
    trying: Callable[[dict[str, Beat]], None] = lambda beats: None
    tried: Callable[[str, TrialRecord], None] = lambda label, trial: None
    chosen: Callable[[NetworkTuning], None] = lambda network: None
    compiling: Callable[[], None] = lambda: None
    elsewhere: Callable[[int], None] = lambda trials: None


def both(first: Events, second: Events) -> Events:
    """Events that call one listener and then the other."""

    def each(name: str) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            getattr(first, name)(*arguments)
            getattr(second, name)(*arguments)

        return call

    return Events(**{field.name: each(field.name) for field in fields(Events)})
