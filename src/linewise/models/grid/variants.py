"""Sequencers by name: the published S, M and L, the vanilla one-dimensional one, small ones for 28 to 64 pixels,
and each with its recurrence taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linewise.models.grid.sequencer import Mixing, Sequencer, Stage
from linewise.models.network import NETWORKS, Entry


@dataclass(frozen=True)
class Plan:
    """What a name fixes.

    Attributes:
        layers: blocks per stage.
        patches: sides of the patches merged by the stages after the first.
        growth: channels of each stage, in those of the first.
    """

    layers: tuple[int, ...]
    patches: tuple[int, ...]
    growth: tuple[int, ...]


def sequencer2d(
    *,
    num_classes: int,
    in_chans: int = 3,
    img_size: tuple[int, int] = (224, 224),
    plan: Plan,
    mixing: str = "sweeps",
    patch: int = 7,
    channels: int = 192,
    hidden: int = 48,
    mlp: int = 0,
    cell: str = "lstm",
    directions: int = 2,
    union: str = "concat",
    projection: str = "linear",
    drop_path: float = 0.0,
) -> Sequencer:
    """A Sequencer2D; stages after the first have their widths multiplied by the plan's growth.

    Args:
        plan: blocks, patches and growth.
        mixing: `sweeps`, or `pooling` or `identity` for controls without recurrence.
        patch: side of the first patches, pixels.
        channels: C of the first stage.
        hidden: D of the first stage, recurrent units per direction.
        mlp: hidden units of the MLPs of the first stage; 0 for three times `channels`.
        cell: `lstm`, `gru`, `rnn` or any other.
        directions: 2, or 1 for an ablation.
        union: `concat`, `add`, `vertical` or `horizontal`.
        projection: `linear` or `none` (ablation).
        drop_path: rate of stochastic depth in the last block.
    """
    stages = tuple(
        Stage(layers, side, channels * times, hidden * times, (mlp or 3 * channels) * times)
        for layers, side, times in zip(plan.layers, (patch, *plan.patches), plan.growth, strict=True)
    )
    mixing_ = Mixing(mixing, cell, directions, union, projection)
    shape: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_chans, "img_size": img_size}
    return Sequencer(**shape, stages=stages, mixing=mixing_, drop_path=drop_path)


def without_recurrence(
    *,
    num_classes: int,
    in_chans: int = 3,
    img_size: tuple[int, int] = (224, 224),
    plan: Plan,
    mixing: str,
    patch: int = 7,
    channels: int = 192,
    mlp: int = 0,
    drop_path: float = 0.0,
) -> Sequencer:
    """The same network with pooling or nothing in place of its recurrence; the question is MambaOut's."""
    shape: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_chans, "img_size": img_size}
    widths: dict[str, Any] = {"patch": patch, "channels": channels, "mlp": mlp}
    return sequencer2d(**shape, plan=plan, mixing=mixing, drop_path=drop_path, **widths)


def sequencer1d(
    *,
    num_classes: int,
    in_chans: int = 3,
    img_size: tuple[int, int] = (224, 224),
    layers: int = 18,
    patch: int = 14,
    channels: int = 384,
    mlp: int = 0,
    cell: str = "lstm",
    drop_path: float = 0.0,
) -> Sequencer:
    """The vanilla Sequencer: one BiLSTM over all patches, line by line, C/2 units per direction.

    Args:
        layers: blocks.
        patch: side of the patches, pixels.
        channels: C, an even number.
        mlp: hidden units of the MLPs; 0 for three times `channels`.
        cell: any recurrent cell.
        drop_path: rate of stochastic depth in the last block.

    Note:
        The authors' code runs 4 + 3 + 8 + 3 blocks with 1×1 convolutions between the groups; so does this one for
        18 layers.
    """
    groups = (4, 3, 8, 3) if layers == 18 else (layers,)
    stages = tuple(
        Stage(n, 1 if i else patch, channels, channels // 2, mlp or 3 * channels) for i, n in enumerate(groups)
    )
    shape: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_chans, "img_size": img_size}
    return Sequencer(**shape, stages=stages, mixing=Mixing("sweep1d", cell), drop_path=drop_path)


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    channels, hidden = max(1, round(width)), max(1, round(width / 4))
    if given.get("projection") == "none":  # then the union must have C channels by itself
        sweeps = 2 if given.get("union", "concat") == "concat" else 1
        wide = int(given.get("directions", 2)) * sweeps
        hidden = max(1, round(width / wide))
        if "hidden" in given or "channels" in given:
            hidden = int(given["hidden"]) if "hidden" in given else int(given["channels"]) // wide
        channels = wide * hidden
    return {"channels": channels, "hidden": hidden, "mlp": max(1, round(3 * width))}


def _scale_without(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    return {"channels": max(1, round(width)), "mlp": max(1, round(3 * width))}


def _scale_1d(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    return {"channels": 2 * max(1, round(width / 2)), "mlp": max(1, round(3 * width))}


_PUBLISHED = {"patches": (2, 1, 1), "growth": (1, 2, 2, 2)}
_PLANS: dict[str, tuple[Plan, dict[str, int], str]] = {
    "s": (
        Plan((4, 3, 8, 3), **_PUBLISHED),
        {},
        "Sequencer2D-S, for 224 pixels; as published where no budget narrows it",
    ),
    "m": (
        Plan((4, 3, 14, 3), **_PUBLISHED),
        {},
        "Sequencer2D-M, for 224 pixels; as published where no budget narrows it",
    ),
    "l": (
        Plan((8, 8, 16, 4), **_PUBLISHED),
        {},
        "Sequencer2D-L, for 224 pixels; as published where no budget narrows it",
    ),
    "nano": (
        Plan((3,), (), (1,)),
        {"patch": 4, "channels": 48, "hidden": 12},
        "small Sequencer2D, one stage of 4×4 patches",
    ),
    "tiny": (
        Plan((2, 2), (2,), (1, 2)),
        {"patch": 2, "channels": 32, "hidden": 8},
        "small Sequencer2D, two stages from 2×2 patches",
    ),
}
for _name, (_plan, _defaults, _summary) in _PLANS.items():
    NETWORKS.add(
        f"sequencer2d_{_name}",
        Entry(
            family="recurrent",
            build=sequencer2d,
            summary=_summary,
            scale=_scale,
            fine="mlp",
            fixed={"plan": _plan, "mixing": "sweeps"},
            defaults=_defaults,
        ),
    )
    for _mixing in ("pooling", "identity"):
        NETWORKS.add(
            f"sequencer2d_{_name}_{_mixing}",
            Entry(
                family="control",
                build=without_recurrence,
                summary=f"sequencer2d_{_name} without recurrence: {_mixing} in its place",
                scale=_scale_without,
                fine="mlp",
                fixed={"plan": _plan, "mixing": _mixing},
                defaults={k: v for k, v in _defaults.items() if k != "hidden"},
            ),
        )
NETWORKS.add(
    "sequencer1d_s",
    Entry(
        "recurrent",
        sequencer1d,
        "vanilla Sequencer, for 224 pixels; as published where no budget narrows it",
        _scale_1d,
        "mlp",
    ),
)
NETWORKS.add(
    "sequencer1d_nano",
    Entry(
        "recurrent",
        sequencer1d,
        "small vanilla Sequencer, 4×4 patches",
        _scale_1d,
        "mlp",
        defaults={"layers": 3, "patch": 4, "channels": 48},
    ),
)
