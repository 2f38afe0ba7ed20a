"""MLflow: an experiment per study's name, a run per run, by MLflow's own client. Its telemetry is off."""

from __future__ import annotations

import logging
import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewise.adapters.facts import CURVES, Facts, Identity
from linewise.adapters.tracker import Tracker, picture
from linewise.foundations.records import Epoch
from linewise.foundations.scratch import scratch

if TYPE_CHECKING:
    from mlflow import MlflowClient

STUDY, RUN, RECORD = "linewise.study", "linewise.run", "linewise.record"
MOST_LETTERS = 500


class MLflow(Tracker):
    """Runs in an MLflow store.

    Args:
        uri: such as `sqlite:///mlflow.db`, or the address of a tracking server.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._study = Identity("", "")
        self._runs: dict[str, str] = {}
        self._held: dict[str, set[tuple[str, int]]] = {}

    def begin(self, study: Identity) -> None:
        self._study = study
        found = self.client.get_experiment_by_name(study.name)
        self._experiment = (
            found.experiment_id
            if found
            else self.client.create_experiment(study.name, artifact_location=_artifacts_beside(self.uri))
        )

    @property
    def client(self) -> MlflowClient:
        if self._client is None:
            os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
            with warnings.catch_warnings():  # of its own libraries
                warnings.simplefilter("ignore")
                from mlflow import MlflowClient

                for name in ("mlflow", "alembic"):
                    logging.getLogger(name).setLevel(logging.WARNING)
                self._client = MlflowClient(tracking_uri=self.uri)
                self._client.search_experiments(max_results=1)  # makes the tables of a new database
        return self._client

    def epochs(self, key: str, epochs: list[Epoch]) -> None:
        self._metrics(key, {(curve, e.epoch): getattr(e, curve) for e in epochs for curve in CURVES})

    def finish(self, facts: Facts) -> None:
        run = self._run(facts.key)
        tags = self.client.get_run(run).data.tags
        if tags.get(RECORD) == facts.record:
            return
        self.epochs(facts.key, facts.epochs)
        last = facts.epochs[-1].epoch if facts.epochs else 0
        self._metrics(facts.key, {(name.replace("final/", ""), last): v for name, v in facts.finals.items()})
        self._parameters(run, facts)
        for file in facts.files:
            self.client.log_artifact(run, str(file))
        if drawn := picture(facts):
            with scratch() as folder:
                path = folder / f"confusion-{drawn[0]}.png"
                path.write_bytes(drawn[1])
                self.client.log_artifact(run, str(path))
        self.client.set_tag(run, RECORD, facts.record)
        self.client.set_terminated(run, "FINISHED" if facts.status == "finished" else "FAILED")

    def close(self) -> None:
        self._runs.clear()
        self._held.clear()

    def _run(self, key: str) -> str:
        """The id of a run, found by its tags or made."""
        if key not in self._runs:
            wanted = f"tags.`{STUDY}` = '{self._study.id}' and tags.`{RUN}` = '{key}'"
            found = self.client.search_runs([self._experiment], wanted, max_results=1)
            tags = {STUDY: self._study.id, RUN: key, **self._study.tags}
            self._runs[key] = (
                found[0].info.run_id
                if found
                else self.client.create_run(self._experiment, run_name=key, tags=tags).info.run_id
            )
        return self._runs[key]

    def _metrics(self, key: str, values: dict[tuple[str, int], float]) -> None:
        from mlflow.entities import Metric

        run, now = self._run(key), int(time.time() * 1000)
        if key not in self._held:
            names = {name for name, _ in values} & self.client.get_run(run).data.metrics.keys()
            self._held[key] = {
                (name, point.step) for name in names for point in self.client.get_metric_history(run, name)
            }
        new = {at: value for at, value in values.items() if at not in self._held[key]}
        if new:
            self.client.log_batch(run, [Metric(name, value, now, step) for (name, step), value in new.items()])
            self._held[key] |= new.keys()

    def _parameters(self, run: str, facts: Facts) -> None:
        from mlflow.entities import Param, RunTag

        held = self.client.get_run(run).data.params
        parameters = [
            Param(name, str(value)[:MOST_LETTERS]) for name, value in facts.parameters.items() if name not in held
        ]
        tags = [RunTag(name, value[:MOST_LETTERS]) for name, value in facts.tags.items()]
        self.client.log_batch(run, params=parameters, tags=tags)


def _artifacts_beside(uri: str) -> Any:
    """Files of the runs lie beside a SQLite database; elsewhere the server knows where."""
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlartifacts").as_uri()
