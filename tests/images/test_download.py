"""Downloads against a local server that misbehaves in every way."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linewise.foundations.errors import ConfigError
from linewise.images.download import DOWNLOADS, Download, RemoteFile, download

DATA = bytes(range(256)) * 4000
FILE = RemoteFile("data.bin", len(DATA), hashlib.sha256(DATA).hexdigest())
SIZE = f"{len(DATA):,}"


class Handler(http.server.BaseHTTPRequestHandler):
    """The first folder of the address says how to misbehave."""

    def do_GET(self) -> None:
        requests: list[tuple[str, str | None]] = self.server.requests  # pyright: ignore[reportAttributeAccessIssue]
        wanted = self.headers.get("Range")
        how = self.path.strip("/").split("/")[0]
        requests.append((how, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if how == "missing":
            self.send_error(404)
            return
        if how == "refuses":
            self.send_error(416 if wanted else 503)
            return
        data = {"wrong": bytes(len(DATA)), "page": b"<html>log in</html>", "endless": DATA + bytes(10**6)}.get(
            how, DATA
        )
        ranged = wanted is not None and how != "rangeless"
        body = data[start:] if ranged else data
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if how == "truncates":
            body = body[: len(DATA) // 3]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)
        if how == "truncates":
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []  # pyright: ignore[reportAttributeAccessIssue]
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def from_mirrors(server, tmp_path, monkeypatch) -> Callable[..., Path]:
    def fetch(*hows: str, force: bool = False, progress=None) -> Path:
        address = f"http://127.0.0.1:{server.server_port}"
        entry = Download("toy", tuple(f"{address}/{how}/" for how in hows), (FILE,))
        monkeypatch.setitem(DOWNLOADS._entries, "toy", entry)
        return download("toy", tmp_path, force=force, progress=progress)

    return fetch


def test_whole_file(from_mirrors, tmp_path):
    seen = []
    folder = from_mirrors("good", progress=lambda *said: seen.append(said))
    assert folder == tmp_path / "toy"
    assert [p.name for p in folder.iterdir()] == ["data.bin"]
    assert (folder / "data.bin").read_bytes() == DATA
    assert seen[-1] == ("data.bin", len(DATA), len(DATA))


def test_a_file_that_is_there_is_not_fetched_again(from_mirrors, server):
    from_mirrors("good")
    from_mirrors("good")
    assert len(server.requests) == 1
    from_mirrors("good", force=True)
    assert len(server.requests) == 2


def test_a_spoilt_file_is_fetched_again(from_mirrors, tmp_path):
    from_mirrors("good")
    (tmp_path / "toy" / "data.bin").write_bytes(b"spoilt")
    assert (from_mirrors("good") / "data.bin").read_bytes() == DATA


@pytest.mark.parametrize("bad", ["missing", "wrong", "page", "truncates", "endless", "refuses"])
def test_next_mirror(from_mirrors, bad):
    folder = from_mirrors(bad, "good")
    assert (folder / "data.bin").read_bytes() == DATA
    assert [p.name for p in folder.iterdir()] == ["data.bin"]


def test_interrupted_download_goes_on(from_mirrors, server, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / ".data.bin.partial").write_bytes(DATA[:1000])
    assert (from_mirrors("good") / "data.bin").read_bytes() == DATA
    assert server.requests == [("good", "bytes=1000-")]


def test_server_without_ranges_starts_anew(from_mirrors, server, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / ".data.bin.partial").write_bytes(DATA[:1000])
    assert (from_mirrors("rangeless") / "data.bin").read_bytes() == DATA
    assert server.requests == [("rangeless", "bytes=1000-")]


def test_what_was_left_is_wrong(from_mirrors, server, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / ".data.bin.partial").write_bytes(b"x" * 1000)
    assert (from_mirrors("good") / "data.bin").read_bytes() == DATA
    assert server.requests == [("good", "bytes=1000-"), ("good", None)]


def test_what_was_left_is_too_much(from_mirrors, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / ".data.bin.partial").write_bytes(DATA + b"x")
    assert (from_mirrors("good") / "data.bin").read_bytes() == DATA


def test_no_mirror_gives_it(from_mirrors, server, tmp_path, refusal):
    address = f"http://127.0.0.1:{server.server_port}"
    assert refusal(lambda: from_mirrors("missing", "wrong", "page", "endless", "refuses")) == (
        f"DIR/toy/data.bin: data.bin could not be fetched: {address}/missing/ answered 404; "
        f"{address}/wrong/ sent other bytes than expected ({SIZE} bytes, wrong SHA-256); "
        f"{address}/page/ sent 19 of {SIZE} bytes; "
        f"{address}/endless/ sent other bytes than expected ({len(DATA) + 1:,} bytes, wrong SHA-256); "
        f"{address}/refuses/ answered 503"
        f"\n  expected: {SIZE} bytes with SHA-256 {FILE.sha256}"
        "\n  to mend:  try again later (what has arrived is kept), or put the file there by hand"
    )
    assert not (tmp_path / "toy" / "data.bin").exists()


def test_two_thirds_arrive_and_are_kept(from_mirrors, server, tmp_path, refusal):
    """A connection that breaks is taken up again once per mirror; what arrived serves the next call."""
    address = f"http://127.0.0.1:{server.server_port}"
    assert refusal(lambda: from_mirrors("truncates")).startswith(
        f"DIR/toy/data.bin: data.bin could not be fetched: {address}/truncates/ sent 682,666 of {SIZE} bytes"
    )
    assert (tmp_path / "toy" / ".data.bin.partial").read_bytes() == DATA[: 2 * (len(DATA) // 3)]
    assert (from_mirrors("good") / "data.bin").read_bytes() == DATA
    assert server.requests[-1] == ("good", "bytes=682666-")


def test_nobody_listens(tmp_path, monkeypatch, refusal):
    entry = Download("toy", ("http://127.0.0.1:9/",), (FILE,))
    monkeypatch.setitem(DOWNLOADS._entries, "toy", entry)
    assert refusal(lambda: download("toy", tmp_path)).startswith(
        "DIR/toy/data.bin: data.bin could not be fetched: http://127.0.0.1:9/ could not be reached (Connection refused)"
    )


def test_folder_that_cannot_be_written(tmp_path, refusal):
    (tmp_path / "file").touch()
    assert refusal(lambda: download("mnist", tmp_path / "file")) == (
        "DIR/file/mnist: cannot be written (Not a directory)\n  to mend:  choose another folder with --data-dir"
    )


def test_unknown_name(refusal):
    assert refusal(lambda: download("mnits"), ConfigError) == (
        "unknown data set 'mnits'\n  expected: one of cifar10, fashion-mnist, kmnist, mnist\n  to mend:  did you mean "
        "'mnist' or 'kmnist'?"
    )


def test_every_known_download_has_what_it_needs():
    for name in DOWNLOADS:
        entry = DOWNLOADS[name]
        assert len(entry.mirrors) >= 2
        assert all(mirror.endswith("/") for mirror in entry.mirrors)
        for file in entry.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size > 4000


@pytest.mark.mnist
def test_mnist_here_is_what_the_checksums_stand_for(mnist_dir):
    """The .gz files here are packed otherwise; unpacked they have the sums published beside those of the .gz files."""
    import gzip

    published = {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }
    for name, sha256 in published.items():
        assert hashlib.sha256(gzip.decompress((mnist_dir / f"{name}.gz").read_bytes())).hexdigest() == sha256
