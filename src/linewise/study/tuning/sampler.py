"""Which settings to try next, as a function of what was tried before and of nothing else.

The search is Optuna's TPE (Bergstra et al. 2011; multivariate, Falkner et al. 2018). Trials come in generations:
the settings of a generation follow from the trials of the earlier ones, so that they are the same whatever the
number of workers or machines, and after any interruption.
"""

from __future__ import annotations

from typing import Any

from linewise.foundations.seeds import stream
from linewise.foundations.tuning import Dial, TrialRecord
from linewise.study.tuning import library

GENERATION = 4
"""Trials of a network that are chosen together and may run side by side."""

STARTUP = 2 * GENERATION
"""Trials before the model guides the search: the study's recipe and random ones."""

DIGITS = 4
"""Significant digits of a setting, so that it can be read and typed."""


def generation_of(number: int) -> range:
    """The trials that are chosen together with this one.

    >>> generation_of(6)
    range(4, 8)
    """
    first = number - number % GENERATION
    return range(first, first + GENERATION)


def propose(
    space: list[Dial], label: str, seed_base: int, generation: range, before: list[TrialRecord]
) -> dict[int, dict[str, float]]:
    """Settings of a generation's trials.

    Args:
        space: the dials.
        label: of the network; with the trial's number it decides the randomness.
        seed_base: of the plan.
        generation: numbers of the trials.
        before: all trials of earlier generations. A diverged trial counts as the worst there is, so that the
            search avoids what it did; one that failed says nothing about its settings and is left out.
    """
    optuna = library.optuna()
    study = optuna.create_study(direction="maximize")
    distributions = distributions_of(space)
    add_history(study, space, before)
    found: dict[int, dict[str, float]] = {}
    for number in generation:
        if number == 0:
            found[number] = {dial.name: dial.default for dial in space}
            study.add_trial(
                optuna.create_trial(
                    state=optuna.trial.TrialState.RUNNING, params=found[number], distributions=distributions
                )
            )
            continue
        # A sampler of its own for each trial: randomness does not depend on which calls came before.
        seed = stream(seed_base, f"tune/{label}/{number}") % 2**32
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
        params = study.ask(distributions).params
        found[number] = {dial.name: _round(params[dial.name], dial) for dial in space}
    return found


def importance(
    space: list[Dial], label: str, seed_base: int, trials: list[TrialRecord]
) -> dict[str, float] | None:
    """Each dial's share of the variance of validation accuracy over finished trials (fANOVA, Hutter et al. 2014).

    Returns:
        Shares that add up to 1; None with fewer than four finished trials or when all are equally good.
    """
    optuna = library.optuna()
    finished = [trial for trial in trials if trial.status == "finished"]
    if len(finished) < GENERATION or len({trial.validation_accuracy for trial in finished}) < 2:
        return None
    study = optuna.create_study(direction="maximize")
    add_history(study, space, finished)
    seed = stream(seed_base, f"importance/{label}") % 2**32
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    total = sum(shares.values())
    return {dial.name: round(float(shares[dial.name] / total), 4) for dial in space} if total > 0 else None


def add_history(study: Any, space: list[Dial], trials: list[TrialRecord]) -> None:
    """Trials as Optuna's, in the order of their numbers."""
    optuna = library.optuna()
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.status != "failed":
            value = trial.validation_accuracy or 0.0
            study.add_trial(
                optuna.create_trial(params=trial.settings, distributions=distributions_of(space), value=value)
            )


def distributions_of(space: list[Dial]) -> dict[str, Any]:
    """The dials as Optuna's distributions."""
    float_of = library.optuna().distributions.FloatDistribution
    return {dial.name: float_of(dial.low, dial.high, log=dial.log) for dial in space}


def _round(value: float, dial: Dial) -> float:
    return min(max(float(f"{value:.{DIGITS}g}"), dial.low), dial.high)
