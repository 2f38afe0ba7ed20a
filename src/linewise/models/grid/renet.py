"""ReNet: four sweeps over the image in place of convolution and pooling (Visin et al. 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from torch import Tensor, nn

from linewise.foundations.errors import ConfigError, unknown_name
from linewise.kernels import recurrent_layer
from linewise.models.grid.mixing import check_cell
from linewise.models.layers import check_channels, check_patches
from linewise.models.network import NETWORKS, Entry, Features, Network

POOLINGS = ("mean", "max", "flat")


@final
class ReNet(Network):
    """Patches of the image are swept down and up, then what was found is swept right and left; so each place of
    the grid has seen the whole image.

    Args:
        hidden: U, units per direction.
        across: units per direction of the right and left sweeps; 0 for `hidden`.
        layers: such pairs of sweeps.
        patch: side of the patches, pixels.
        cell: any recurrent cell; the paper used GRU and LSTM.
        pooling: `mean` or `max` over the grid, or `flat`: the classifier sees every place, as in the paper.
        dropout: fraction of features dropped before the classifier.

    Raises:
        ConfigError: the patch does not divide the images, or an unknown choice.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        hidden: int = 32,
        across: int = 0,
        layers: int = 1,
        patch: int = 2,
        cell: str = "gru",
        pooling: str = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_cell(cell)
        if pooling not in POOLINGS:
            raise unknown_name("pooling", pooling, POOLINGS)
        rows, columns = check_patches("renet", img_size, patch)
        self.in_chans, self.grid, self.patch, self.pooling = in_chans, (rows, columns), patch, pooling
        across = across or hidden
        widths = [in_chans * patch**2] + [2 * across] * (layers - 1)
        self.layers = nn.ModuleList(_TwoSweeps(cell, width, hidden, across) for width in widths)
        self.num_features = 2 * across * (rows * columns if pooling == "flat" else 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.num_features, num_classes)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """The grid after the last sweep, `x_BHWF`."""
        check_channels("renet", x_BCHW, self.in_chans)
        grid = check_patches("renet", (x_BCHW.shape[2], x_BCHW.shape[3]), self.patch)
        if self.pooling == "flat" and grid != self.grid:
            raise ConfigError(
                f"images of {x_BCHW.shape[2]}×{x_BCHW.shape[3]} pixels",
                where="renet",
                expected="{}×{}: its classifier sees every place".format(*(n * self.patch for n in self.grid)),
            )
        patches = x_BCHW.unfold(2, self.patch, self.patch).unfold(3, self.patch, self.patch)
        x_BHWF = patches.permute(0, 2, 3, 4, 5, 1).flatten(3)
        for layer in self.layers:
            x_BHWF = layer(x_BHWF)
        return x_BHWF

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        if self.pooling == "flat":
            x_BF = features.flatten(1)
        else:
            x_BF = features.mean(dim=(1, 2)) if self.pooling == "mean" else features.amax(dim=(1, 2))
        x_BF = self.dropout(x_BF)
        return x_BF if pre_logits else self.head(x_BF)


class _TwoSweeps(nn.Module):
    """Down and up over each column, then right and left over each row of the result."""

    def __init__(self, cell: str, num_inputs: int, hidden: int, across: int) -> None:
        super().__init__()
        self.vertical = recurrent_layer(cell, num_inputs, hidden, bidirectional=True)
        self.horizontal = recurrent_layer(cell, 2 * hidden, across, bidirectional=True)

    def forward(self, x_BHWF: Tensor) -> Tensor:
        b, h, w, _ = x_BHWF.shape
        states, _ = self.vertical(x_BHWF.transpose(0, 1).reshape(h, b * w, -1))
        across = states.view(h, b, w, -1).permute(2, 1, 0, 3).reshape(w, b * h, -1)
        states, _ = self.horizontal(across)
        return states.view(w, b, h, -1).permute(1, 2, 0, 3)


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    return {"hidden": max(1, round(width)), "across": max(1, round(width))}


NETWORKS.add("renet", Entry("recurrent", ReNet, "four sweeps over 2×2 patches (ReNet)", _scale, "across"))
