"""The width solver: any network brought to one budget, on parameters or multiply-accumulates."""

from __future__ import annotations

from typing import Any

from linewise.foundations.errors import ConfigError
from linewise.foundations.records import Match, ModelSpec
from linewise.models.cost import cost_of, macs_of, parameters_of
from linewise.models.create import BYTES_TO_TRAIN, refuse_giants
from linewise.models.network import NETWORKS, NetworkConfig, check_sizes

TOLERANCE = 0.01
CLOSE = 0.002
_WIDEST = 1 << 18


def specify(
    name: str,
    sizes: dict[str, Any],
    *,
    num_classes: int,
    in_chans: int,
    img_size: tuple[int, int],
    match: Match = "none",
    budget: int | None = None,
    label: str | None = None,
) -> ModelSpec:
    """A network with its width solved to a budget.

    Args:
        sizes: what is fixed beforehand; if it already fixes the width, nothing is solved.
        match: `params`, `macs` or `none`.
        budget: the wanted number of parameters or MACs.
        label: its name in a study; the registered name if not given.

    Returns:
        A specification whose `miss` is the signed distance to the budget as a fraction, and whose `note` says
        why it is larger than 1 % where it is.

    Raises:
        ConfigError: an unknown size, a budget below what the smallest width costs, or a network that could not
            be trained in this machine's memory.

    >>> specify("lstm", {}, num_classes=10, in_chans=1, img_size=(28, 28), match="params", budget=80_000).sizes
    {'hidden': 126}
    """
    check_sizes(name, sizes)
    solver = _Solver(name, sizes, num_classes, in_chans, img_size, match)
    solved, note, miss = dict(sizes), "", None
    if match != "none" and budget is not None:
        solved, note = solver.solve(budget)
        miss = solver.amount(solved) / budget - 1
    ghost = refuse_giants(solver.config(solved), BYTES_TO_TRAIN)
    cost = cost_of(solver.config(solved))
    family = ghost.family or NETWORKS[name].family
    return ModelSpec(label=label or name, name=name, family=family, sizes=solved, cost=cost, miss=miss, note=note)


class _Solver:
    def __init__(
        self,
        name: str,
        sizes: dict[str, Any],
        num_classes: int,
        in_chans: int,
        img_size: tuple[int, int],
        match: Match,
    ) -> None:
        self.name, self.sizes, self.match = name, sizes, match
        self.shape: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_chans, "img_size": img_size}
        self.known: dict[str, int] = {}

    def config(self, sizes: dict[str, Any]) -> NetworkConfig:
        return NetworkConfig(name=self.name, sizes=check_sizes(self.name, sizes), **self.shape)

    def amount(self, sizes: dict[str, Any]) -> int:
        config = self.config(sizes)
        key = config.model_dump_json()
        if key not in self.known:
            self.known[key] = macs_of(config) if self.match == "macs" else parameters_of(config)
        return self.known[key]

    def sizes_at(self, width: float) -> dict[str, Any]:
        scale = NETWORKS[self.name].scale
        assert scale is not None
        return {**scale(width, self.sizes), **self.sizes}

    def at(self, width: float) -> int:
        return self.amount(self.sizes_at(width))

    def solve(self, budget: int) -> tuple[dict[str, Any], str]:
        """The sizes nearest to the budget, and a note where that is not near enough."""
        scale = NETWORKS[self.name].scale
        if scale is None or set(scale(1, self.sizes)) <= set(self.sizes):
            why = f"{self.name} has no width to solve" if scale is None else "its width was given"
            return dict(self.sizes), self._note(why, self.amount(self.sizes), budget)
        if self.at(1) > budget:
            raise ConfigError(
                f"a budget of {budget:,} {self.match} is too small for {self.name}",
                where="--budget",
                expected=f"at least {self.at(1):,}, what its smallest width costs on these images",
            )
        low, high = 1.0, 2.0
        while self.at(high) < budget and high < _WIDEST:
            low, high = high, high * 2
        while high - low > 1e-3 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.at(middle) <= budget else (low, middle)
        sizes = self._refine(self.sizes_at(low), budget)
        if abs(self.amount(sizes) / budget - 1) > CLOSE:
            near = [low * (1 + step / 1000) for step in range(-60, 61)]  # where several sizes round apart
            width = min(near, key=lambda w: abs(self.at(w) - budget))
            others = [self._refine(self.sizes_at(width), budget)]
            if self.miss(min([sizes, *others], key=lambda s: self.miss(s, budget)), budget) > TOLERANCE * budget:
                around = [low, width, *(low + step for step in range(-4, 5) if step and low + step >= 1)]
                others += [self._refine(self.sizes_at(w), budget, share=4) for w in around]
            sizes = min([sizes, *others], key=lambda s: self.miss(s, budget))
        why = "sizes are whole numbers" if high < _WIDEST else "the solver goes no wider"
        return sizes, self._note(why, self.amount(sizes), budget)

    def miss(self, sizes: dict[str, Any], budget: int) -> int:
        return abs(self.amount(sizes) - budget)

    def _refine(self, sizes: dict[str, Any], budget: int, share: int = 10) -> dict[str, Any]:
        """The last step: one size moved by itself, by at most a tenth (or another share), along its slope."""
        fine = NETWORKS[self.name].fine
        if fine is None or fine in self.sizes or fine not in sizes:
            return sizes
        middle = sizes[fine]
        reach = max(1, middle // share)
        best = sizes
        for _ in range(3):  # the cost is linear or nearly so in one size
            here = best[fine]
            slope = self.amount({**best, fine: here + 1}) - self.amount(best)
            wanted = here + round((budget - self.amount(best)) / max(1, slope))
            there = min(max(wanted, max(1, middle - reach)), middle + reach)
            near = [{**best, fine: there + step} for step in (-1, 0, 1) if there + step >= 1]
            better = min([best, *near], key=lambda s: self.miss(s, budget))
            if better == best:
                break
            best = better
        return best

    def _note(self, why: str, amount: int, budget: int) -> str:
        miss = amount / budget - 1
        if abs(miss) <= TOLERANCE:
            return ""
        return f"{why}: {amount:,} {self.match}, {abs(miss):.2%} {'over' if miss > 0 else 'under'} the budget"
