"""What is asked about: files, all images below folders, and standard input."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from linewise.foundations.errors import ConfigError
from linewise.images.files.asked import Asked, asked
from rights import open_folder, without_rights


def picture(path: Path, kind: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 2), 7).save(path, kind)
    return path


def ask(*arguments: Path | str, stdin: bytes = b"") -> Asked:
    return asked([Path(a) for a in arguments], io.BytesIO(stdin))


def test_a_folder_is_all_images_below_it_in_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a.png", "b/c/deep.JPG", "Z.png"):
        picture(tmp_path / name)
    picture(tmp_path / "b" / "no-suffix")
    (tmp_path / "notes.txt").write_text("hello")
    found = ask(tmp_path)
    wanted = ["Z.png", "a.png", "b/10.png", "b/2.png", "b/c/deep.JPG", "b/no-suffix"]
    assert [source.short for source in found.sources] == wanted
    assert [source.path for source in found.sources] == [str(tmp_path / name) for name in wanted]
    assert found.left_out == [str(tmp_path / "notes.txt")]
    assert not found.errors


def test_hidden_files_and_those_of_file_managers_are_left_alone(tmp_path: Path) -> None:
    for name in (".hidden.png", ".git/x.png", "__MACOSX/x.png", "@eaDir/x.png", "1.png"):
        picture(tmp_path / name)
    (tmp_path / "Thumbs.db").write_bytes(b"\xff\xd8\xff")
    found = ask(tmp_path)
    assert [source.short for source in found.sources] == ["1.png"]
    assert not found.left_out


def test_files_keep_the_order_in_which_they_were_named(tmp_path: Path) -> None:
    second, first = picture(tmp_path / "b.png"), picture(tmp_path / "a.png")
    found = ask(second, first, "missing.png")
    assert [source.path for source in found.sources] == [str(second), str(first), "missing.png"]


def test_what_would_wait_or_go_in_circles(tmp_path: Path) -> None:
    picture(tmp_path / "deep" / "1.png")
    (tmp_path / "deep" / "back").symlink_to(tmp_path)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    found = ask(tmp_path)
    assert [source.short for source in found.sources] == ["deep/1.png", "gone.png", "pipe.png"]
    assert found.left_out == [str(tmp_path / "pipe")]


def test_a_folder_that_may_not_be_read_does_not_stop_the_others() -> None:
    with open_folder() as folder:
        picture(folder / "a" / "1.png")
        (folder / "locked").mkdir(mode=0)
        with without_rights():
            found = ask(folder)
        assert [source.short for source in found.sources] == ["a/1.png"]
        assert str(found.errors[0]).startswith(f"{folder / 'locked'}: cannot be listed (Permission denied)")


def test_a_folder_without_images_is_said(tmp_path: Path) -> None:
    (error,) = ask(tmp_path).errors
    assert str(error) == f"{tmp_path}: holds no images\n  expected: images"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "PPM", "TIFF"])
def test_an_image_on_standard_input(tmp_path: Path, kind: str) -> None:
    content = picture(tmp_path / "x", kind).read_bytes()
    (source,) = ask("-", stdin=content).sources
    assert (source.path, source.short) == ("-", "stdin")
    opened = source.open()
    assert isinstance(opened, io.BytesIO)
    assert opened.getvalue() == content


def test_a_text_image_on_standard_input_is_no_list() -> None:
    (source,) = ask("-", stdin=b"P2\n2 1\n255\n0 255\n").sources
    assert source.path == "-"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_a_list_on_standard_input(tmp_path: Path, end: str) -> None:
    names = [picture(tmp_path / "a b.png"), tmp_path / "missing.png", picture(tmp_path / "sub" / "ü.png").parent]
    found = ask("-", stdin=(end.join(map(str, names)) + end).encode())
    wanted = [str(names[0]), str(names[1]), str(tmp_path / "sub" / "ü.png")]
    assert [source.path for source in found.sources] == wanted


def test_with_zero_bytes_names_may_hold_line_ends(tmp_path: Path) -> None:
    odd = picture(tmp_path / "two\nlines.png")
    (source,) = ask("-", stdin=os.fsencode(odd) + b"\0").sources
    assert source.file == odd


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "-: nothing came"),
        (b" \n", "-: nothing came"),
        (b"no such file\nnor this\n", "-: is no image, and no file is called 'no such file'"),
    ],
)
def test_standard_input_that_says_nothing(content: bytes, said: str) -> None:
    found = ask("-", stdin=content)
    assert not found.sources
    assert str(found.errors[0]).splitlines()[0] == said


@pytest.mark.parametrize("content", [b"<!doctype html>\n<p>", bytes(range(256)), b"\x89PNG\r\n\x1a\ncut"])
def test_other_bytes_are_left_to_the_decoder(content: bytes) -> None:
    (source,) = ask("-", stdin=content).sources
    assert source.file == content


def test_standard_input_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^- twice"):
        ask("-", picture(tmp_path / "a.png"), "-")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff.png"
    try:
        Path(os.fsdecode(odd)).write_bytes(picture(tmp_path / "a" / "x.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    found = ask(tmp_path)
    assert [source.short for source in found.sources] == ["a/x.png", "�.png"]
    assert found.sources[1].file == Path(os.fsdecode(odd))
