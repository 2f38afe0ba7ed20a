"""An exported network shows the reading that torch shows, as far as its form tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewise.export.exporting import export_run
from linewise.export.onnx_model import load_onnx
from linewise.export.onnx_trace import trace_onnx
from linewise.study.prediction import RunModel
from untrained import image, write_run


@pytest.mark.parametrize("form", ["image", "steps", "row-by-row"])
def test_the_same_as_torch_tells(tmp_path: Path, form: str) -> None:
    run = write_run(tmp_path / "run", "gru", hidden=7, reading="columns")
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
