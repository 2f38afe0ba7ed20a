"""The model card of a pushed model: YAML in front, as Hugging Face reads it, then a page for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewise.foundations.atomic import write_text

if TYPE_CHECKING:
    from linewise.models.saved import ModelCard


def write_card(path: Path, run: Path, card: ModelCard, name: str, license: str, tags: list[str]) -> None:
    """Write `README.md`.

    Args:
        run: where the model comes from; its answers give the accuracies, with n and interval.
        license, tags: for the front matter.
    """
    measured = _measured(run)
    data = str(card.trained.get("data", "")) or "unknown"
    front: dict[str, Any] = {
        "license": license,
        "library_name": "linewise",
        "pipeline_tag": "image-classification",
        "tags": list(dict.fromkeys(["image-classification", "linewise", card.network.name, *tags])),
        "datasets": [data],
        "metrics": ["accuracy"],
        "model-index": [{"name": name, "results": [_result(data, *found) for found in measured]}],
    }
    # JSON is YAML: no value, whatever its letters, can be taken for anything else
    lines = [f"{key}: {json.dumps(value, ensure_ascii=True)}" for key, value in front.items()]
    write_text(path, "\n".join(["---", *lines, "---", "", _page(card, name, data, measured)]))


def _measured(run: Path) -> list[tuple[str, float, float, float, int]]:
    """Split, accuracy, its 95 % interval over images, and n, for each split the run has answers on."""
    from linewise.analysis.intervals import wilson
    from linewise.foundations.arrays import read_predictions

    found = []
    for split in ("test", "validation"):
        answers = read_predictions(run / "predictions.npz", split) if (run / "predictions.npz").is_file() else None
        if answers is not None and len(answers.labels_N):
            right, n = int(answers.correct_N.sum()), len(answers.labels_N)
            found.append((split, right / n, *wilson(right, n), n))
    return found


def _result(data: str, split: str, accuracy: float, low: float, high: float, n: int) -> dict[str, Any]:
    metric = {"type": "accuracy", "value": round(accuracy, 6), "name": f"accuracy, {split}", "n": n}
    return {
        "task": {"type": "image-classification", "name": "Image classification"},
        "dataset": {"type": data, "name": data, "split": split, "args": {"n": n}},
        "metrics": [{**metric, "interval_95": [round(low, 6), round(high, 6)]}],
    }


def _page(card: ModelCard, name: str, data: str, measured: list[tuple[str, float, float, float, int]]) -> str:
    network = card.network
    height, width = network.img_size
    channels = "grey" if network.in_chans == 1 else "colour"
    classes = ", ".join(_quoted(text) for text in card.class_names[:40])
    accuracies = "\n".join(
        f"| {split} | {accuracy:.2%} | {low:.2%} to {high:.2%} | {n:,} |"
        for split, accuracy, low, high, n in measured
    )
    table = f"| images | accuracy | 95 % interval, over images | n |\n|---|---|---|---|\n{accuracies}\n"
    more = " …" if len(card.class_names) > 40 else ""
    facts = "\n".join(
        f"- {key}: {_quoted(str(value))}" for key, value in card.trained.items() if not isinstance(value, dict)
    )
    return f"""# {name}

The network {_quoted(network.name)} with sizes {_quoted(json.dumps(network.sizes))}, trained by Linewise
{card.linewise_version} on {_quoted(data)}. It takes {channels} images of {height}×{width} pixels, prepared as
`model.json` says, and tells {len(card.class_names)} classes apart: {classes}{more}.

{table if measured else "Its accuracy is not recorded here."}
One run speaks of one seed; a study over several seeds says more.

{facts}

    linewise predict FOLDER IMAGE
"""


def _quoted(text: str) -> str:
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"
