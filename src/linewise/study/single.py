"""One network, trained as in a study, with a folder of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import Run
from linewise.foundations.records import RunRecord
from linewise.images import ImageSet
from linewise.study import heartbeat
from linewise.study.compiling import compile_kernels
from linewise.study.config import CompareConfig, make_spec
from linewise.study.events import Events
from linewise.study.executors import WorkerProcesses
from linewise.study.job import Job, run_job, share


def train_one(
    images: ImageSet,
    config: CompareConfig,
    seed: int,
    out: Path | None,
    *,
    command: str = "",
    events: Events | None = None,
) -> Run:
    """Train the only network of `config` and return its run; the test set stays sealed.

    Args:
        out: the run's folder, new; None chooses `runs/DATA-MODEL-SEED`.

    Raises:
        ConfigError: the folder is there already or cannot be written, or the run failed.
    """
    events = events or Events()
    spec = make_spec(config, images.record, command).model_copy(update={"seeds": [seed]})
    model = spec.models[0]
    path = out or run_path(images.name, model.label, seed)
    if path.exists():
        raise ConfigError("is there already", where=str(path), mend="choose another --out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})", where=str(path), mend="choose another --out"
        ) from None
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="linewise-") as name:
        workplace = Path(name)
        job = Job(
            model,
            seed,
            spec.recipe,
            spec.data,
            share(images.train, workplace, "train"),
            share(images.validation, workplace, "validation"),
            spec.threads,
            path,
            workplace / "beat.json",
            device=spec.device,
        )
        compile_kernels([model], spec.data, events)
        events.planned(spec, [job.key])

        def end(job: Job, failure: str) -> None:
            failures.extend([failure] if failure else [])
            events.progress({job.key: heartbeat.read(job.heartbeat)})
            events.ended(job.key, failure)

        with WorkerProcesses(1, spec.threads) as executor:
            executor.run(run_job, [job], end, lambda: events.progress({job.key: heartbeat.read(job.heartbeat)}))
    if failures:
        raise ConfigError(f"the run failed: {failures[0]}", where=str(path))
    return Run(path, RunRecord.load(path / "run.json"))


def run_path(data: str, model: str, seed: int) -> Path:
    """Where a run lies that was given no folder."""
    return Path("runs") / f"{data}-{model.strip().replace(':', ',')}-{seed}"
