"""Pictures that come from outside: dropped, pasted, chosen; grey and in colour."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from drawings import PAD

pytestmark = pytest.mark.browser


def give(seen, way: str, path: Path, kind: str = "image/png") -> None:
    """Hand a file over: dropped, pasted or chosen."""
    if way == "choose":
        seen.page.set_input_files("#file", path)
        return
    data = base64.b64encode(path.read_bytes()).decode()
    seen.page.evaluate(
        """([way, data, kind]) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], 'picture', { type: kind }));
          document.querySelector('.pad').dispatchEvent(way === 'drop'
            ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
        }""",
        [way, data, kind],
    )


@pytest.mark.parametrize("way", ["drop", "paste", "choose"])
def test_pictures_from_outside(visit: Callable, way: str, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    image = Image.fromarray((digits.images[digits.target == 0][3] * 255 / 16).astype(np.uint8))
    path = tmp_path / "zero.png"
    image.resize((PAD, PAD), Image.Resampling.BICUBIC).save(path)
    seen = visit()
    seen.wait_answer()
    give(seen, way, path)
    seen.page.wait_for_selector(".glyph:text-is('0')")
    body = {"model": "lstm-0", "image": base64.b64encode(path.read_bytes()).decode(), "drawn": True}
    trace = httpx.post(f"{seen.address}/v1/read", json=body).json()["trace"]
    assert f"settled: row {trace['settled']}" == seen.text(".settled-line")
    seen.page.get_by_label("Centre and scale").uncheck()
    seen.page.wait_for_timeout(300)
    bare = httpx.post(f"{seen.address}/v1/read", json={**body, "drawn": False}).json()["trace"]
    assert bare["image_HWC"] != trace["image_HWC"]
    assert f"settled: row {bare['settled']}" == seen.text(".settled-line")


def test_what_is_no_picture_is_said(visit: Callable, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_bytes(b"these are notes")
    seen = visit()
    seen.wait_answer()
    seen.page.set_input_files("#file", path)
    seen.page.wait_for_selector("#notice:not([hidden])")
    assert seen.text("#notice") == "notes.png is no image this browser can read. PNG and JPEG always work."


def test_colour_photos_are_read_in_colour(visit: Callable, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)).save(path)
    seen = visit()
    seen.choose("photos-0")
    seen.page.wait_for_selector("text=reads colour photos")
    assert seen.text(".sentence") == "Nothing to read yet"
    give(seen, "drop", path, "image/jpeg")
    seen.wait_answer()
    assert any(name in seen.text(".sentence") for name in ("apple", "<b>pear</b>", "plum"))
    assert "<b>pear</b>" in seen.text(".note >> nth=0")
    body = {"model": "photos-0", "image": base64.b64encode(path.read_bytes()).decode()}
    trace = httpx.post(f"{seen.address}/v1/read", json=body).json()["trace"]
    pixel = seen.page.evaluate("""() => { const c = document.querySelector('.plot canvas');
      return [...c.getContext('2d').getImageData(c.width / 2 + 2, c.height / 2 + 2, 1, 1).data].slice(0, 3); }""")
    np.testing.assert_allclose(pixel, trace["image_HWC"][6][6], atol=1)
    seen.page.click("[aria-label='Pen #d0342c']")
    seen.page.locator(".pad").click(position={"x": 100, "y": 100})
    seen.page.wait_for_timeout(300)
    assert seen.page.locator(".sentence").inner_text().startswith("It says ")
