"""Layers that look at a whole batch, of which each rank holds a part: equal to one process that has all of it.

Batch norm takes its statistics over all ranks (torch's own `SyncBatchNorm` does so on CUDA devices only); dropout
and stochastic depth are drawn for the whole batch, so that each image meets what it would have met in one process.
"""

from __future__ import annotations

from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from linewise.models import Network
from linewise.models.layers import DropPath
from linewise.models.recurrent.bodies import Plain
from linewise.training.groups import Group


@final
class Batch:
    """The batch that is being trained on.

    Attributes:
        num_images: on all ranks.
    """

    def __init__(self, group: Group) -> None:
        self.group, self.num_images = group, 0

    @property
    def part(self) -> slice:
        """The images of it that are here."""
        return self.group.share.of(self.num_images)


def widen(network: Network, batch: Batch) -> None:
    """Have the layers of a network look at the whole batch; names and weights stay."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.BatchNorm2d:
                setattr(parent, name, WideBatchNorm(layer, batch))
            elif type(layer) is nn.Dropout:
                setattr(parent, name, WideDropout(layer.p, 1 if isinstance(parent, Plain) else 0, batch))
            elif type(layer) is DropPath:
                setattr(parent, name, WideDropPath(layer.rate, layer.batch_dim, batch))
            else:
                assert not isinstance(layer, _BatchNorm | nn.modules.dropout._DropoutNd), type(layer)


@final
class WideDropout(nn.Module):
    """Dropout with the mask of the whole batch."""

    def __init__(self, rate: float, batch_dim: int, batch: Batch) -> None:
        super().__init__()
        self.p, self.batch_dim, self.batch = rate, batch_dim, batch

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return x * _mine(F.dropout(_whole(x, self.batch_dim, self.batch), self.p), self.batch_dim, self.batch)


@final
class WideDropPath(nn.Module):
    """Stochastic depth, drawn for the whole batch."""

    def __init__(self, rate: float, batch_dim: int, batch: Batch) -> None:
        super().__init__()
        self.rate, self.batch_dim, self.batch = rate, batch_dim, batch

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        shape = [1] * x.ndim
        shape[self.batch_dim] = self.batch.num_images
        kept = torch.rand(shape, device=x.device, dtype=x.dtype) >= self.rate
        return x * _mine(kept, self.batch_dim, self.batch) / (1 - self.rate)


def _whole(x: Tensor, batch_dim: int, batch: Batch) -> Tensor:
    """Ones for the whole batch, lying in memory as the part does: chance is drawn in that order."""
    order = sorted(range(x.ndim), key=lambda dim: (-x.stride(dim), dim))
    shape = list(x.shape)
    shape[batch_dim] = batch.num_images
    places = [order.index(dim) for dim in range(x.ndim)]
    return x.new_ones([shape[dim] for dim in order]).permute(places)


def _mine(x: Tensor, batch_dim: int, batch: Batch) -> Tensor:
    part = batch.part
    return x.narrow(batch_dim, part.start, part.stop - part.start)


@final
class WideBatchNorm(nn.BatchNorm2d):
    """Batch norm over the images of all ranks."""

    def __init__(self, like: nn.BatchNorm2d, batch: Batch) -> None:
        super().__init__(like.num_features, like.eps, like.momentum)
        self.weight, self.bias, self.batch = like.weight, like.bias, batch
        for name, buffer in like.named_buffers():
            setattr(self, name, buffer)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        group = self.batch.group
        normed, mean_C, squares_C, number = _Normed.apply(input, self.weight, self.bias, self.eps, group)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean_C, self.momentum)
            self.running_var.lerp_(squares_C / (number - 1), self.momentum)
        return normed


class _Normed(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) · weight + bias, with the mean and variance of all ranks."""

    @staticmethod
    def forward(
        ctx: Any, x_BCHW: Tensor, weight_C: Tensor, bias_C: Tensor, eps: float, group: Group
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Besides the result: mean, sum of squared distances from it, and how many numbers there are."""
        # each rank's own mean and squares, brought together as by Chan et al. (1979)
        own_C = x_BCHW.mean((0, 2, 3))
        squares_C = (x_BCHW - _channels(own_C)).square_().sum((0, 2, 3))
        number = x_BCHW.numel() // x_BCHW.shape[1]
        told = torch.cat([own_C, squares_C, own_C.new_tensor([number])])
        means_RC, squares_RC, numbers_R1 = torch.stack(group.gather(told)).split([len(own_C), len(own_C), 1], 1)
        total = numbers_R1.sum()
        mean_C = (means_RC * numbers_R1).sum(0) / total
        squares_C = (squares_RC + numbers_R1 * (means_RC - mean_C).square()).sum(0)
        var_C = squares_C / total
        ctx.save_for_backward(x_BCHW, weight_C, mean_C, (var_C + eps).rsqrt(), total)
        ctx.group = group
        ctx.mark_non_differentiable(mean_C, squares_C, total)
        normed = F.batch_norm(x_BCHW, mean_C, var_C, weight_C, bias_C, False, 0.0, eps)
        return normed, mean_C, squares_C, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        dy = grads[0]
        x_BCHW, weight_C, mean_C, scale_C, total = ctx.saved_tensors
        hat = (x_BCHW - _channels(mean_C)) * _channels(scale_C)
        sums_2C = torch.stack([dy.sum((0, 2, 3)), (dy * hat).sum((0, 2, 3))])
        bias_grad, weight_grad = sums_2C.clone()
        mean_2C = ctx.group.sum(sums_2C) / total
        dx = (dy - _channels(mean_2C[0]) - hat * _channels(mean_2C[1])) * _channels(weight_C * scale_C)
        return dx, weight_grad, bias_grad, None, None


def _channels(x_C: Tensor) -> Tensor:
    return x_C[:, None, None]
