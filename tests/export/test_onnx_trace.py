"""An exported network shows the reading that torch shows, as far as its form tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewise.export.exporting import export_run
from linewise.export.onnx_model import OnnxModel, load_onnx
from linewise.export.onnx_trace import trace_onnx
from linewise.foundations.errors import SavedModelError
from linewise.study.prediction import RunModel
from untrained import image, write_run


@pytest.mark.parametrize("form", ["image", "steps", "row-by-row"])
def test_the_same_as_torch_tells(tmp_path: Path, form: str) -> None:
    run = write_run(tmp_path / "run", "gru", hidden=7, reading="rows3-stride2")
    export_run(run, tmp_path / "model.onnx", form=form)  # type: ignore[arg-type]
    found = trace_onnx(load_onnx(tmp_path / "model.onnx"), image(1))
    want = RunModel(run).trace(image(1), occlusion=True)
    for name in ("probabilities_K", "occlusion_H"):
        np.testing.assert_allclose(getattr(found, name), getattr(want, name), atol=1e-5)
    if form == "image":
        assert (found.num_steps, found.probabilities_TK, found.settled) == (None, None, None)
        return
    assert found.probabilities_TK is not None
    assert want.probabilities_TK is not None
    np.testing.assert_allclose(found.probabilities_TK, want.probabilities_TK, atol=1e-5)
    assert (found.num_steps, found.settled) == (want.num_steps, want.settled)
    if form == "steps":
        assert found.hidden_TU is not None
        assert want.hidden_TU is not None
        np.testing.assert_allclose(found.hidden_TU, want.hidden_TU, atol=1e-5)
    else:
        assert found.step_HW is not None
        assert want.step_HW is not None
        assert (found.step_HW == want.step_HW).all()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    """A file with the answers after each step."""
    folder = tmp_path_factory.mktemp("exported")
    export_run(write_run(folder / "run", "gru", hidden=7), folder / "model.onnx", form="steps")
    found = load_onnx(folder / "model.onnx")
    assert trace_onnx(found, image(1)).settled
    return found


class Forged:
    """The runtime of a file, and an output that was changed."""

    def __init__(self, session: Any, name: str, changed: Any) -> None:
        self.session, self.name, self.changed = session, name, changed

    def get_outputs(self) -> list[Any]:
        return [out for out in self.session.get_outputs() if self.changed is not None or out.name != self.name]

    def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        found = dict(zip(names, self.session.run(names, inputs), strict=True))
        if self.changed is not None:
            found[self.name] = self.changed(found[self.name])
        return list(found.values())


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("step_logits", None),
        ("step_logits", lambda logits: logits[:, :, :2]),
        ("step_logits", lambda logits: logits * np.nan),
        ("step_logits", lambda logits: logits[0]),
        ("step_logits", lambda logits: logits[:, :0]),
        ("states", lambda states: states[:, :3]),
        ("states", lambda states: states + np.inf),
    ],
)
def test_a_forged_file_is_refused(model: OnnxModel, name: str, changed: Any) -> None:
    with pytest.raises(SavedModelError, match="no answer and state of its network"):
        trace_onnx(replace(model, session=Forged(model.session, name, changed)), image(1))
