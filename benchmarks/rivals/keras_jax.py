"""Keras 3 on JAX as its guides teach it: one model on MNIST, one JSON line on standard output.

    python -m venv ENV && ENV/bin/pip install keras jax        # an environment of its own, not Linewise's
    ENV/bin/python benchmarks/rivals/keras_jax.py lstm [--seed 0] [--epochs 5] [--images 40000] [--data FOLDER]

Written after keras.io's "Simple MNIST convnet" and "Working with RNNs": `keras.Sequential`, `compile`, `fit` with
batches of 128, `evaluate`. The first epoch has the compilation in it, as for everyone who runs it.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
from data import arguments, mnist
from keras import layers


def build(name: str) -> keras.Sequential:
    """About 81,000 parameters each."""
    if name == "cnn":
        return keras.Sequential(
            [
                keras.Input(shape=(28, 28, 1)),
                layers.Conv2D(16, kernel_size=3, padding="same", activation="relu"),
                layers.MaxPooling2D(pool_size=2),
                layers.Conv2D(32, kernel_size=3, padding="same", activation="relu"),
                layers.MaxPooling2D(pool_size=2),
                layers.Flatten(),
                layers.Dense(48, activation="relu"),
                layers.Dense(10, activation="softmax"),
            ]
        )
    recurrent = layers.LSTM(128) if name == "lstm" else layers.GRU(148)
    return keras.Sequential([keras.Input(shape=(28, 28)), recurrent, layers.Dense(10, activation="softmax")])


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs_s: list[float] = []
        self.epochs_cpu_s: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.began, self.cpu = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epochs_s.append(time.perf_counter() - self.began)
        self.epochs_cpu_s.append(time.process_time() - self.cpu)
        print(f"epoch {epoch + 1}, loss {(logs or {}).get('loss', float('nan')):.4f}", file=sys.stderr)


def main() -> None:
    began = time.perf_counter()
    chosen = arguments(__doc__, batch_size=128)
    x_NHW, y_N, test_x_NHW, test_y_N = mnist(chosen.data, chosen.images)
    keras.utils.set_random_seed(chosen.seed)
    x_train, x_test = x_NHW.astype("float32") / 255, test_x_NHW.astype("float32") / 255
    if chosen.model == "cnn":
        x_train, x_test = x_train[..., None], x_test[..., None]
    model, clock = build(chosen.model), Clock()
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    before_s = time.perf_counter() - began
    model.fit(x_train, y_N, batch_size=chosen.batch_size, epochs=chosen.epochs, verbose=0, callbacks=[clock])
    started = time.perf_counter()
    _, accuracy = model.evaluate(x_test, test_y_N, batch_size=chosen.batch_size, verbose=0)
    found = {
        "rival": "keras",
        "model": chosen.model,
        "seed": chosen.seed,
        "batch_size": chosen.batch_size,
        "images": chosen.images,
        "parameters": model.count_params(),
        "before_s": before_s,
        "epochs_s": clock.epochs_s,
        "epochs_cpu_s": clock.epochs_cpu_s,
        "test_s": time.perf_counter() - started,
        "test_accuracy": float(accuracy),
        "threads": os.cpu_count(),
        "versions": {"keras": keras.__version__, "jax": jax.__version__},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
