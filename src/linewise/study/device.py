"""Where a study computes: the processor, or a CUDA device where there is one."""

from __future__ import annotations

import torch

from linewise.foundations.errors import ConfigError
from linewise.kernels import described


def check_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        ConfigError: saying what torch sees.
    """
    if device == "cuda" and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        raise ConfigError(
            f"cuda, and torch {torch.__version__} ({built}) sees no such device",
            where="--device",
            expected="cpu, or a machine with a CUDA device and a torch for it",
        )


def kernels_in_words(device: str, seeds_at_once: int = 1) -> str:
    """How recurrent layers are computed, for a record."""
    if seeds_at_once == 1:
        return "cuDNN, by torch" if device == "cuda" else described()
    return f"{'batched products' if device == 'cuda' else described()}; {seeds_at_once} seeds at once"


def in_words(device: str) -> str:
    """For a record: `cpu`, or `cuda` with the device's name."""
    return f"cuda ({torch.cuda.get_device_name()})" if device == "cuda" else device
