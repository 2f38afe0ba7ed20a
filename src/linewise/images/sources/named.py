"""Data sets known by name: where they are looked for, and what is usual for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from linewise.foundations.errors import DataError
from linewise.foundations.paths import data_dirs
from linewise.foundations.registry import Registry
from linewise.images.sources.base import Found, Request
from linewise.images.sources.cifar import CifarFolder
from linewise.images.sources.idx import IdxFolder
from linewise.images.splits import Usual

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
KANA = tuple("おきすつなはまやれを")


@dataclass(frozen=True)
class Named:
    """A data set known by name.

    Attributes:
        places: folders or archives below a data folder, in the order in which they are looked for.
        classes: what the labels 0, 1, … stand for; empty where the files say so themselves.
    """

    name: str
    about: str
    places: tuple[str, ...]
    source: IdxFolder | CifarFolder
    usual: Usual
    classes: tuple[str, ...] = ()

    def look(self, data_dir: Path | None = None) -> Path | None:
        """Where it lies, or None."""
        for folder in data_dirs(data_dir):
            candidates = [folder / place for place in self.places]
            if folder.name in self.places:  # the data folder is the data set itself
                candidates.append(folder)
            for path in candidates:
                if path.exists() and self.source.recognises(path):
                    return path
        return None

    def find(self, data_dir: Path | None = None) -> Path:
        """Where it lies.

        Raises:
            DataError: nowhere; the message says how to get it.
        """
        if path := self.look(data_dir):
            return path
        looked = ", ".join(dict.fromkeys(str(folder) for folder in data_dirs(data_dir)))
        raise DataError(
            f"the data set is in none of the data folders ({looked})",
            where=self.name,
            expected=f"{self.places[0]}/ in one of them",
            mend=f"linewise data download {self.name}   (or name its folder with --data-dir or LINEWISE_DATA)",
        )

    def read(self, path: Path, request: Request) -> Found:
        """Read it, with its own class names."""
        return self.source.read(path, request, self.classes or None)


NAMED: Registry[Named] = Registry("data set")
for _entry in (
    Named(
        "mnist",
        "70,000 handwritten digits, 28×28 grey",
        ("mnist", "MNIST", "MNIST/raw"),
        IdxFolder(),
        Usual(40_000, 10_000),
        DIGITS,
    ),
    Named(
        "fashion-mnist",
        "70,000 pieces of clothing, 28×28 grey",
        ("fashion-mnist", "fashion_mnist", "fashion", "FashionMNIST", "FashionMNIST/raw"),
        IdxFolder(),
        Usual(40_000, 10_000),
        CLOTHES,
    ),
    Named(
        "kmnist",
        "70,000 handwritten hiragana, 28×28 grey",
        ("kmnist", "KMNIST", "KMNIST/raw"),
        IdxFolder(),
        Usual(40_000, 10_000),
        KANA,
    ),
    Named(
        "cifar10",
        "60,000 small photographs, 32×32 colour",
        (
            "cifar10",
            "cifar-10",
            "CIFAR10",
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            "cifar10-images.tar.xz",
        ),
        CifarFolder(),
        Usual(40_000, 10_000),
    ),
):
    NAMED.add(_entry.name, _entry)
