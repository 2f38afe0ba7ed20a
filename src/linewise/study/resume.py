"""Going on with a study: what may change, what may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linewise.foundations.amounts import count
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import StudySpec


def reconcile(path: Path, wanted: StudySpec) -> StudySpec:
    """The specification to go on with: what is there, extended by new networks and seeds.

    Raises:
        ConfigError: the folder holds something else, or a study with another recipe, budget or threads.
        DataError: the images changed since the study began.
    """
    folder = StudyFolder(path)
    if not folder.spec_path.is_file():
        if path.exists() and (not path.is_dir() or any(not p.name.startswith(".") for p in path.iterdir())):
            raise ConfigError(
                "exists and is not a study", where=str(path), mend="choose another --out, or an empty folder"
            )
        return wanted
    there = folder.spec()
    if there.data.fingerprint != wanted.data.fingerprint:
        raise DataError(
            f"the images changed since this study began (fingerprint {wanted.data.fingerprint[:12]}, "
            f"was {there.data.fingerprint[:12]})",
            where=str(path),
            expected="the same images, sizes and splits",
            mend="choose another --out for a new study",
        )
    before, after = _dials(there), _dials(wanted)
    changed = [f"{dial} {before[dial]} → {after[dial]}" for dial in after if before[dial] != after[dial]]
    known = {model.label: model for model in there.models}
    if there.tuning != wanted.tuning:
        changed.append(f"tuning: {_plan(there)} → {_plan(wanted)}")
    changed += [f"sizes of {m.label}" for m in wanted.models if known.get(m.label, m) != m]
    if changed:
        raise ConfigError(
            f"a study with other settings is here: {'; '.join(changed)}",
            where=str(path),
            expected="the same settings, perhaps with more networks or seeds",
            mend="choose another --out for a new study",
        )
    more = [model for model in wanted.models if model.label not in known]
    seeds = sorted({*there.seeds, *wanted.seeds})
    grown = {"models": [*there.models, *more], "seeds": seeds}
    if more or seeds != there.seeds or there.command.startswith(("linewise tune", "linewise.tune")):
        grown["command"] = wanted.command
    return there.model_copy(update=grown)


def _dials(spec: StudySpec) -> dict[str, Any]:
    """What may not change between one call and the next."""
    return {**spec.recipe.model_dump(), **spec.model_dump(include={"match", "budget", "threads", "device"})}


def _plan(spec: StudySpec) -> str:
    plan = spec.tuning
    if plan is None:
        return "none"
    images = "all" if plan.images is None else f"{plan.images:,}"
    return f"{count(plan.trials, 'trial')} of {count(plan.epochs, 'epoch')} on {images} images"
