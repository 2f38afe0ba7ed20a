"""Orders: ways to visit every cell of a grid once. Plain index arithmetic, no images.

An order is an array of `H·W` cell numbers, cell (row, column) being `row·W + column`; `inverse` undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from linewise.foundations.registry import Registry

Order = Callable[[int, int], np.ndarray]
ORDERS: Registry[Order] = Registry("order")


def inverse(order_T: np.ndarray) -> np.ndarray:
    """At which step each cell is visited.

    >>> snake(2, 2)[inverse(snake(2, 2))].tolist()
    [0, 1, 2, 3]
    """
    return np.argsort(order_T)


@ORDERS.register("raster")
def raster(height: int, width: int) -> np.ndarray:
    """Left to right, then the next line: as this text is read."""
    return np.arange(height * width)


@ORDERS.register("snake")
def snake(height: int, width: int) -> np.ndarray:
    """Boustrophedon, "as the ox ploughs": left to right, then right to left; neighbours stay neighbours.

    >>> snake(2, 3).tolist()
    [0, 1, 2, 5, 4, 3]
    """
    cells_HW = raster(height, width).reshape(height, width).copy()
    cells_HW[1::2] = cells_HW[1::2, ::-1]
    return cells_HW.ravel()


@ORDERS.register("spiral-in")
def spiral_in(height: int, width: int) -> np.ndarray:
    """Clockwise from the upper left corner to the middle.

    >>> spiral_in(3, 3).tolist()
    [0, 1, 2, 5, 8, 7, 6, 3, 4]
    """
    left_HW = raster(height, width).reshape(height, width)
    lines: list[np.ndarray] = []
    while left_HW.size:
        lines.append(left_HW[0])
        left_HW = np.rot90(left_HW[1:])
    return np.concatenate(lines)


@ORDERS.register("spiral-out")
def spiral_out(height: int, width: int) -> np.ndarray:
    """From the middle to the upper left corner, counter-clockwise: `spiral_in` backwards."""
    return spiral_in(height, width)[::-1].copy()


@ORDERS.register("hilbert")
def hilbert(height: int, width: int) -> np.ndarray:
    """A generalised Hilbert curve over any rectangle (Červený's construction, "gilbert"; Hilbert 1891).

    Near in the sequence is near in the image. Each step goes to a neighbour; where a rectangle's sides forbid
    that (the longer side odd, the shorter even and more than two), one step is diagonal.
    """
    wide = width >= height
    cells = _gilbert(0, 0, width, 0, 0, height) if wide else _gilbert(0, 0, 0, height, width, 0)
    return np.array([y * width + x for x, y in cells])


def _gilbert(x: int, y: int, ax: int, ay: int, bx: int, by: int) -> Iterator[tuple[int, int]]:
    """Cells (x, y) of the rectangle that the axes a (along) and b (across) span from a corner."""
    along, across = abs(ax + ay), abs(bx + by)
    dax, day, dbx, dby = _sign(ax), _sign(ay), _sign(bx), _sign(by)
    if across == 1 or along == 1:
        dx, dy, count = (dax, day, along) if across == 1 else (dbx, dby, across)
        for _ in range(count):
            yield x, y
            x, y = x + dx, y + dy
        return
    ax2, ay2, bx2, by2 = ax // 2, ay // 2, bx // 2, by // 2
    if 2 * along > 3 * across:  # long: two pieces, one after the other
        if abs(ax2 + ay2) % 2 and along > 2:
            ax2, ay2 = ax2 + dax, ay2 + day
        yield from _gilbert(x, y, ax2, ay2, bx, by)
        yield from _gilbert(x + ax2, y + ay2, ax - ax2, ay - ay2, bx, by)
        return
    if abs(bx2 + by2) % 2 and across > 2:
        bx2, by2 = bx2 + dbx, by2 + dby
    yield from _gilbert(x, y, bx2, by2, ax2, ay2)  # up, along, down
    yield from _gilbert(x + bx2, y + by2, ax, ay, bx - bx2, by - by2)
    yield from _gilbert(x + ax - dax + bx2 - dbx, y + ay - day + by2 - dby, -bx2, -by2, -(ax - ax2), -(ay - ay2))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


@ORDERS.register("zorder")
def zorder(height: int, width: int) -> np.ndarray:
    """Z-order (Morton 1966): cells sorted by the interleaved bits of row and column; any rectangle.

    >>> zorder(2, 4).tolist()
    [0, 1, 4, 5, 2, 3, 6, 7]
    """
    rows, columns = np.divmod(raster(height, width), width)
    key = np.zeros_like(rows)
    for bit in range(max(height, width).bit_length()):
        key |= ((columns >> bit) & 1) << (2 * bit) | ((rows >> bit) & 1) << (2 * bit + 1)
    return np.argsort(key, kind="stable")


def permuted(seed: int) -> Order:
    """A fixed random order: the same for every image of a size, as in permuted pixel MNIST (Le et al. 2015).

    >>> (permuted(3)(4, 4) == permuted(3)(4, 4)).all()
    np.True_
    """
    return partial(_permutation, seed)


def _permutation(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(height * width)
