"""How long it takes to watch a network read one image: `python benchmarks/tracing.py RUN…`.

One thread, warm. Processor time, so that other work on the machine counts little; at rest the clock says the same.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from linewise.foundations.environment import environment
from linewise.kernels import described
from linewise.study.prediction import RunModel

ROUNDS, WARM = 200, 5


def main(runs: list[str]) -> None:
    """Median, quartiles and 90th percentile in ms, with gates and occlusion, and without."""
    torch.set_num_threads(1)
    here = environment(1, kernels=described())
    print(f"{here.processor}, torch {here.torch}, 1 thread, n = {ROUNDS} traces each")
    for run in runs:
        model = RunModel(run)
        shape = model.preprocessing
        image_HWC = np.zeros((shape.height, shape.width, shape.channels), np.uint8)
        ink = (slice(shape.height // 5, -shape.height // 5), slice(shape.width // 3, -shape.width // 3))
        image_HWC[ink] = np.random.default_rng(0).integers(0, 256, image_HWC[ink].shape)
        for name, wanted in (("plain", False), ("gates and occlusion", True)):
            times = []
            for _ in range(WARM + ROUNDS):
                began = time.process_time()
                model.trace(image_HWC, gates=wanted, occlusion=wanted)
                times.append(1000 * (time.process_time() - began))
            low, median, high, most = np.quantile(times[WARM:], [0.25, 0.5, 0.75, 0.9])
            print(f"{run}, {name}: {median:.2f} ms ({low:.2f} to {high:.2f}), 90 % within {most:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
