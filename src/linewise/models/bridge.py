"""A bridge to timm: any of its networks as an opponent, where timm is installed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError
from linewise.foundations.records import Family
from linewise.models.network import NETWORKS, Entry, Features, Network


@final
class TimmNetwork(Network):
    """A network of timm with random weights and the images it is given.

    Args:
        model: its name in timm, such as `resnet18`.

    Raises:
        ConfigError: timm cannot be imported (with the reason), it does not know the name, or the network refuses
            images of this size.
    """

    counted_by_torch = True

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 3,
        img_size: tuple[int, int] = (224, 224),
        model: str = "resnet18",
    ) -> None:
        super().__init__()
        timm = _timm(model)
        known = timm.list_models()
        if model not in known:
            near = get_close_matches(model, known, n=5, cutoff=0.5)
            raise ConfigError(
                f"timm {timm.__version__} has no model {model!r}",
                where=f"timm:{model}",
                expected=f"one of its {len(known):,} names, as timm.list_models() gives them",
                mend=f"did you mean {' or '.join(near)}?" if near else "",
            )
        shape = {"num_classes": num_classes, "in_chans": in_chans}
        try:
            try:
                self.body = timm.create_model(model, **shape, img_size=img_size)
            except TypeError:  # many of timm's networks take any size and no `img_size`
                self.body = timm.create_model(model, **shape)
            was = self.body.training
            with torch.no_grad():
                self.body.eval()(torch.zeros(1, in_chans, *img_size, device=next(self.body.parameters()).device))
            self.body.train(was)
        except (RuntimeError, AssertionError, ValueError) as error:
            raise ConfigError(
                f"timm's {model} does not take images of {img_size[0]}×{img_size[1]}: {_line(error)}",
                where=f"timm:{model}",
                expected="a network and a size that fit",
                mend="--size scales the images",
            ) from None
        self.num_features = getattr(self.body, "head_hidden_size", None) or self.body.num_features
        self.family = _family(self.body)
        self.head = nn.Identity()

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Whatever timm's network calls features."""
        return self.body.forward_features(x_BCHW)

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        return self.body.forward_head(features, pre_logits=pre_logits)

    def reset_classifier(self, num_classes: int) -> None:
        self.body.reset_classifier(num_classes)
        self.config = self.config.model_copy(update={"num_classes": num_classes})


def _family(body: nn.Module) -> Family:
    """By what it is made of: recurrent layers, attention, convolutions larger than a patch; or none of these."""
    modules = list(body.modules())
    if any(isinstance(m, nn.RNNBase) for m in modules):
        return "recurrent"
    if any("attention" in type(m).__name__.lower() for m in modules):
        return "attention"
    if any(isinstance(m, nn.Conv2d) and max(m.kernel_size) > 1 and m.kernel_size != m.stride for m in modules):
        return "convolutional"
    return "other"


def _timm(model: str) -> Any:
    try:
        import timm  # pyright: ignore[reportMissingImports]
    except Exception as error:  # timm imports torchvision, which fails in many ways of its own
        raise ConfigError(
            f"timm cannot be imported: {type(error).__name__}: {_line(error)}",
            where=f"timm:{model}",
            expected="timm and a torchvision that fits the installed torch",
            mend="pip install timm torchvision, both from the index that torch came from",
        ) from None
    return timm


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


NETWORKS.add("timm", Entry("other", TimmNetwork, "any network of timm, where it is installed"))
