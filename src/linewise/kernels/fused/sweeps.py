"""Where sequences lie in memory: the geometry of a layer's passes, without any tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

import numpy as np

GEOMETRIES = 64
"""Remembered."""


class Layout(NamedTuple):
    """Sequences in a tensor; distances in float32.

    Attributes:
        rows: how they are counted, outermost first: so many, so far apart.
        step: from one step to the next, in the order of reading.
        start: of the step that is read first.
    """

    rows: tuple[tuple[int, int], ...]
    step: int
    start: int = 0

    def at(self, step: int) -> int:
        """Of a step in the order of reading."""
        return self.start + step * self.step

    def backwards(self, steps: int) -> Layout:
        """The same sequences from their last step to their first."""
        return self._replace(step=-self.step, start=self.start + (steps - 1) * self.step)


class Sweep(NamedTuple):
    """One direction of one layer, over all its sequences.

    Attributes:
        steps: T.
        inputs: D, numbers per step.
        units: U.
        group: sequences that belong together: all of one image in one axis.
        x: of the input, and of its gradient.
        h: of the hidden states of this direction, and of their gradient.
    """

    steps: int
    inputs: int
    units: int
    group: int
    x: Layout
    h: Layout


@dataclass(frozen=True, eq=False)
class Unit:
    """Sweeps over one tensor that are computed together; each geometry has one, which stands for it in caches.

    Attributes:
        sweeps: in the order of the weights.
        groups: of sequences; the same for each sweep.
    """

    sweeps: tuple[Sweep, ...]
    groups: int

    @cached_property
    def rows(self) -> int:
        """Sequences of the sweep with the fewest."""
        return self.groups * min(s.group for s in self.sweeps)

    @cached_property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and units of each sweep."""
        return tuple((s.inputs, s.units) for s in self.sweeps)

    def floats(self, *, of_input: int, of_units: int) -> int:
        """Float32 that one group has in all steps, so many for each of the input's and for each unit."""
        sizes = [s.group * s.steps for s in self.sweeps]
        of_sweeps = sum(size * s.units for size, s in zip(sizes, self.sweeps, strict=True))
        return sizes[0] * self.sweeps[0].inputs * of_input + of_sweeps * of_units


@lru_cache(GEOMETRIES)
def of_layer(shape: tuple[int, int, int], strides: tuple[int, int], units: int, directions: int) -> Unit:
    """A layer of one or two directions with an output `h_TBU` without gaps.

    Args:
        shape: of the input, `TBD`.
        strides: of its first two dimensions; its gradient has the same. Of the last it is 1.
    """
    steps, batch, inputs = shape
    sweeps: list[Sweep] = []
    width = units * directions
    for direction in range(directions):
        layouts = [
            Layout(((batch, row),), step, start)
            for step, row, start in ((*strides, 0), (batch * width, width, units * direction))
        ]
        if direction:
            layouts = [layout.backwards(steps) for layout in layouts]
        sweeps.append(Sweep(steps, inputs, units, 1, *layouts))
    return Unit(tuple(sweeps), batch)


@lru_cache(GEOMETRIES)
def of_grid(shape: tuple[int, int, int, int], units: int, directions: int) -> Unit:
    """Two layers over a grid `x_BHWC`, columns and then rows, with an output `h_BHWF`, all contiguous.

    F is the units of each direction, down, up, right and left, side by side.
    """
    batch, height, width, channels = shape
    sweeps: list[Sweep] = []
    out = 2 * directions * units
    for axis in range(2):
        for direction in range(directions):
            layouts = [
                Layout(((batch, height * width * size), (width, size)), width * size, start)
                if axis == 0
                else Layout(((batch * height, width * size),), size, start)
                for size, start in ((channels, 0), (out, units * len(sweeps)))
            ]
            steps, group = (height, width) if axis == 0 else (width, height)
            if direction:
                layouts = [layout.backwards(steps) for layout in layouts]
            sweeps.append(Sweep(steps, channels, units, group, *layouts))
    return Unit(tuple(sweeps), batch)


@cache
def table(rows: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Where each sequence begins, int64."""
    offsets = np.zeros(1, np.int64)
    for count, stride in rows:
        offsets = (offsets[:, None] + stride * np.arange(count, dtype=np.int64)).reshape(-1)
    return offsets
