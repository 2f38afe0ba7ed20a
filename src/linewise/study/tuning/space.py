"""What is tuned: one declared search space per family, and how settings become a recipe.

Sizes that change what a network costs (width, layers) are not tuned, and the batch size is the same for all.
"""

from __future__ import annotations

from linewise.foundations.records import DataRecord, Family, ModelSpec, Recipe
from linewise.foundations.tuning import Dial
from linewise.models.cost import cost_of
from linewise.models.network import NETWORKS, NetworkConfig, check_sizes

Range = tuple[float, float, bool]
"""Low, high, logarithmic."""

RECIPE_DIALS = ("lr", "weight_decay", "clip", "label_smoothing")
SIZE_DIALS = ("dropout", "drop_path")

_COMMON: dict[str, Range] = {
    "lr": (1e-3, 3e-2, True),  # two thirds of a decade to either side of the default
    "weight_decay": (1e-4, 0.3, True),
    "clip": (0.3, 10.0, True),  # from most steps clipped to none
    "label_smoothing": (0.0, 0.2, False),
    "dropout": (0.0, 0.5, False),
    "drop_path": (0.0, 0.3, False),
}

SPACES: dict[Family, dict[str, Range]] = {
    # Gradients through many steps explode (Pascanu et al. 2013): tighter clipping is worth a try.
    "recurrent": {**_COMMON, "clip": (0.1, 10.0, True)},
    "convolutional": _COMMON,
    # Transformers want a smaller rate and a stronger decay (Steiner et al. 2022 search 0.03 to 0.3).
    "attention": {**_COMMON, "lr": (2e-4, 2e-2, True), "weight_decay": (1e-3, 0.5, True)},
    # Shallow networks among them bear a larger rate.
    "control": {**_COMMON, "lr": (1e-3, 5e-2, True)},
    # Not ours, so nothing is known: wide to either side.
    "other": {**_COMMON, "lr": (2e-4, 3e-2, True)},
}


def space_of(model: ModelSpec, recipe: Recipe) -> list[Dial]:
    """The dials of one network.

    Left out are sizes that the network has not or that were typed with it, and what the study's recipe turns off
    (clip or weight decay of 0). A range that does not hold the study's own value is widened to hold it.
    """
    sizes = NETWORKS[model.name].sizes()
    defaults = {dial: float(getattr(recipe, dial)) for dial in RECIPE_DIALS}
    defaults |= {dial: float(sizes[dial]) for dial in SIZE_DIALS if dial in sizes and dial not in model.sizes}
    return [
        Dial(name=name, low=min(low, default), high=max(high, default), log=log, default=default)
        for name, (low, high, log) in SPACES[model.family].items()
        if (default := defaults.get(name)) is not None and not (log and default == 0)
    ]


def apply(settings: dict[str, float], model: ModelSpec, recipe: Recipe) -> tuple[ModelSpec, Recipe]:
    """The network and the recipe with these settings; the cost stays what it was."""
    sizes = {name: value for name, value in settings.items() if name in SIZE_DIALS}
    dials = {name: value for name, value in settings.items() if name in RECIPE_DIALS}
    assert len(sizes) + len(dials) == len(settings), settings
    return (
        model.model_copy(update={"sizes": {**model.sizes, **sizes}}),
        Recipe.model_validate({**recipe.model_dump(), **dials}),
    )


def check_cost(model: ModelSpec, space: list[Dial], data: DataRecord) -> None:
    """Refuse a space that changes what the network costs; that would be our mistake."""
    height, width, channels = data.shape
    for dial in space:
        if dial.name in SIZE_DIALS:
            sizes = check_sizes(model.name, {**model.sizes, dial.name: dial.high})
            config = NetworkConfig(
                name=model.name,
                num_classes=len(data.class_names),
                in_chans=channels,
                img_size=(height, width),
                sizes=sizes,
            )
            found = cost_of(config)
            assert (found.parameters, found.macs) == (model.cost.parameters, model.cost.macs), (model.label, dial)
