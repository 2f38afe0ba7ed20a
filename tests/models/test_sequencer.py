"""Sequencer2D: exactly the published networks, and timm's numbers to the last digits."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from linewise.foundations.errors import ConfigError, SavedModelError
from linewise.models import create_model
from linewise.models.cost import macs_of, parameters_of
from linewise.models.create import create_on_meta
from linewise.models.grid.sequencer import Mixing, Sequencer, Stage
from linewise.models.layers import DropPath
from linewise.models.network import NetworkConfig, check_sizes
from linewise.models.published import translate

FIXTURES = Path(__file__).parent / "fixtures"
TINY = FIXTURES / "timm_sequencer2d_tiny.safetensors"
SHAPES = json.loads((FIXTURES / "timm_sequencer2d_state_shapes.json").read_text())


def config(name: str, side: int = 224, **sizes: object) -> NetworkConfig:
    return NetworkConfig(
        name=name, num_classes=1000, in_chans=3, img_size=(side, side), sizes=check_sizes(name, sizes)
    )


@pytest.fixture
def tiny() -> dict[str, Tensor]:
    return load_file(TINY)


def tiny_network() -> Sequencer:
    with safe_open(TINY, "pt") as file:
        made = json.loads(file.metadata()["config"])
    columns = zip(made["layers"], made["patch_sizes"], made["embed_dims"], made["hidden_sizes"], strict=True)
    stages = tuple(Stage(n, patch, width, hidden, 3 * width) for n, patch, width, hidden in columns)
    return Sequencer(num_classes=10, in_chans=3, img_size=(56, 56), stages=stages, mixing=Mixing()).eval()


def weights(tiny: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("weights."): t for name, t in tiny.items() if name.startswith("weights.")}


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    [
        ("sequencer2d_s", 27_651_688, 8.33),
        ("sequencer2d_m", 38_307_688, 11.05),
        ("sequencer2d_l", 54_298_216, 16.49),
    ],
)
def test_published_sizes_have_the_published_counts(name: str, parameters: int, gmacs: float) -> None:
    assert parameters_of(config(name)) == parameters
    assert macs_of(config(name)) / 1e9 == pytest.approx(gmacs, abs=0.006)


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [
        ({"cell": "gru"}, 24_874_600),
        ({"cell": "rnn"}, 19_320_424),
        ({"directions": 1}, 20_991_592),
        ({"union": "add"}, 26_545_768),
        ({"hidden": 96}, 45_395_560),
        ({"projection": "none"}, 25_433_704),
        ({"union": "vertical", "hidden": 96, "projection": "none"}, 27_645_544),
        ({"union": "horizontal", "hidden": 96, "projection": "none"}, 27_645_544),
    ],
)
def test_ablations_have_the_published_counts(sizes: dict, parameters: int) -> None:
    assert parameters_of(config("sequencer2d_s", **sizes)) == parameters
    network = create_on_meta(config("sequencer2d_s", 28, **sizes))
    assert network(torch.zeros(1, 3, 28, 28, device="meta")).shape == (1, 1000)


@pytest.mark.parametrize(("channels", "expected"), [(192, 445_632), (384, 1_776_000)])
def test_a_block_has_the_closed_form_of_parameters(channels: int, expected: int) -> None:
    c, d = channels, channels // 4
    assert 4 * c + 2 * 8 * (c * d + d**2 + 2 * d) + (4 * d * c + c) + (6 * c**2 + 4 * c) == expected
    block = create_on_meta(config("sequencer2d_s")).stages[0 if c == 192 else 1].blocks[0]  # type: ignore[index, union-attr]
    assert sum(p.numel() for p in block.parameters()) == expected  # type: ignore[union-attr]


@pytest.mark.parametrize("name", list(SHAPES))
def test_names_and_shapes_of_weights_are_timms(name: str) -> None:
    ours = {k: list(v.shape) for k, v in create_on_meta(config(name)).state_dict().items()}
    assert ours == {k.replace("head.fc.", "head."): shape for k, shape in SHAPES[name].items()}


def test_timms_weights_give_timms_answers_at_both_sizes(tiny: dict[str, Tensor]) -> None:
    network = tiny_network()
    network.load_state_dict(translate(weights(tiny)))
    with torch.no_grad():
        torch.testing.assert_close(network(tiny["input"]), tiny["logits"], atol=1e-5, rtol=0)
        torch.testing.assert_close(network.forward_features(tiny["input"]), tiny["features"], atol=1e-5, rtol=0)
        torch.testing.assert_close(network(tiny["input_84x70"]), tiny["logits_84x70"], atol=1e-5, rtol=0)


def to_authors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the authors' code: a merge of patches is the last module of the stage before."""
    layers = {int(m[1]): 0 for k in state if (m := re.match(r"stages\.(\d+)\.blocks", k))}
    for k in state:
        if m := re.match(r"stages\.(\d+)\.blocks\.(\d+)", k):
            layers[int(m[1])] = max(layers[int(m[1])], int(m[2]) + 1)
    renamed = {}
    for k, v in state.items():
        if m := re.match(r"stages\.(\d+)\.downsample\.down\.(.+)", k):
            k = f"blocks.{int(m[1]) - 1}.{layers[int(m[1]) - 1]}.down.{m[2]}"
        k = re.sub(r"^stages\.(\d+)\.blocks\.(\d+)\.", r"blocks.\1.\2.", k)
        renamed[k.replace("head.fc.", "head.")] = v
    return renamed


def test_the_authors_names_are_understood(tiny: dict[str, Tensor]) -> None:
    theirs = to_authors(weights(tiny))
    assert "blocks.0.1.down.weight" in theirs
    assert translate(theirs).keys() == translate(weights(tiny)).keys()
    network = tiny_network()
    network.load_state_dict(translate(theirs))
    torch.testing.assert_close(network(tiny["input"]), tiny["logits"], atol=1e-5, rtol=0)


def test_a_checkpoint_file_is_loaded_by_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = create_model("sequencer2d_s", num_classes=7, in_chans=3, img_size=(28, 28))
    with torch.no_grad():
        source.head.weight.normal_()  # type: ignore[operator, union-attr]
    state = {k.replace("head.", "head.fc."): v for k, v in source.state_dict().items()}
    save_file(state, tmp_path / "s.safetensors")
    torch.save({"model": to_authors(state)}, tmp_path / "s.pth")
    x_BCHW = torch.randn(1, 3, 42, 28)
    for name in ("s.safetensors", "s.pth"):
        network = create_model("sequencer2d_s", weights=tmp_path / name)
        assert network.config.num_classes == 7
        assert network.config.img_size == (224, 224)
        assert torch.equal(network.eval()(x_BCHW), source.eval()(x_BCHW))
    other = create_model("sequencer2d_s", weights=tmp_path / "s.safetensors", num_classes=3, img_size=(28, 28))
    assert other(x_BCHW).shape == (1, 3)
    assert torch.equal(other.forward_features(x_BCHW), source.forward_features(x_BCHW))  # type: ignore[arg-type]


class Evil:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("evil-was-here"),))


def test_weights_that_do_not_fit_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = create_model("sequencer2d_nano", num_classes=2)
    save_file(small.state_dict(), "nano.safetensors")
    with pytest.raises(SavedModelError, match=r"the weights do not fit: no stages\.1\.downsample"):
        create_model("sequencer2d_tiny", weights="nano.safetensors", img_size=(28, 28))
    Path("text.safetensors").write_text("hello")
    with pytest.raises(SavedModelError, match="not a safetensors file"):
        create_model("sequencer2d_nano", weights="text.safetensors")
    with pytest.raises(SavedModelError, match="no such file"):
        create_model("sequencer2d_nano", weights="absent.safetensors")
    torch.save({"stem": Evil()}, "evil.pth")
    with pytest.raises(SavedModelError, match="not a file of tensors"):
        create_model("sequencer2d_nano", weights="evil.pth")
    assert not Path("evil-was-here").exists()
    torch.save({"epoch": 3}, "none.pth")
    with pytest.raises(SavedModelError, match="not everything is a tensor"):
        create_model("sequencer2d_nano", weights="none.pth")
    state = small.state_dict()
    state["norm.weight"] = state["norm.weight"].clone().fill_(float("nan"))
    save_file(state, "nan.safetensors")
    with pytest.raises(SavedModelError, match=r"not a number in norm\.weight"):
        create_model("sequencer2d_nano", weights="nan.safetensors", img_size=(28, 28))


def test_initialisation_is_the_published_one() -> None:
    torch.manual_seed(0)
    network = create_model("sequencer2d_s", num_classes=10, in_chans=3, img_size=(28, 28), channels=64, hidden=16)
    state = network.state_dict()
    assert not state["head.weight"].any()
    assert not state["head.bias"].any()
    lstm = {k: v for k, v in state.items() if ".rnn_v." in k and k.startswith("stages.0")}
    assert max(v.abs().max().item() for v in lstm.values()) <= 1 / 4
    assert torch.cat([v.flatten() for v in lstm.values()]).std() == pytest.approx(0.25 / 3**0.5, rel=0.02)
    fc1 = state["stages.1.blocks.0.mlp_channels.fc1.weight"]
    assert fc1.abs().max() <= (6 / sum(fc1.shape)) ** 0.5
    assert 0 < state["stages.1.blocks.0.mlp_channels.fc1.bias"].abs().max() < 1e-5
    assert not state["stages.1.blocks.0.rnn_tokens.fc.bias"].any()
    stem = state["stem.proj.weight"]
    assert stem.std() == pytest.approx(stem[0].numel() ** -0.5, rel=0.05)
    assert (state["norm.weight"] == 1).all()


def test_drop_path_grows_linearly_in_depth() -> None:
    network = create_model("sequencer2d_s", num_classes=2, img_size=(28, 28), channels=8, hidden=2, drop_path=0.34)
    rates = [m.rate for m in network.modules() if isinstance(m, DropPath)]
    assert rates == pytest.approx([0.02 * i for i in range(18)])


def test_drop_path_drops_whole_images_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = DropPath(0.25, batch_dim=1)
    x_TBU = torch.ones(3, 4000, 2)
    y_TBU = layer(x_TBU)
    assert y_TBU.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(y_TBU[0, :, 0], y_TBU[2, :, 1])
    assert y_TBU.mean() == pytest.approx(1, abs=0.03)
    assert torch.equal(layer.eval()(x_TBU), x_TBU)


def test_grids_that_patches_do_not_divide_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        create_model("sequencer2d_s", num_classes=2, img_size=(225, 224))
    assert str(caught.value).startswith(
        "Sequencer: patches of 14×14 pixels do not divide images of 225×224\n"
        "  expected: height and width that are multiples of 14\n  to mend:  --size 238x224 scales the images"
    )
    network = create_model("sequencer2d_nano", num_classes=2, img_size=(28, 28))
    with pytest.raises(ConfigError, match="images of 30×28 pixels"):
        network(torch.zeros(1, 1, 30, 28))
    assert network(torch.zeros(2, 1, 12, 40)).shape == (2, 2)  # any grid


def test_the_vanilla_sequencer_reads_all_patches_in_one_line() -> None:
    torch.manual_seed(0)
    network = create_model("sequencer1d_nano", num_classes=2, img_size=(8, 8), layers=1, channels=8).eval()
    with torch.no_grad():
        network.head.weight.normal_()  # type: ignore[operator, union-attr]
    assert parameters_of(config("sequencer1d_s")) == 33_016_552
    mixing = network.stages[0].blocks[0].rnn_tokens  # type: ignore[index, union-attr]
    x_BHWC = torch.randn(2, 2, 3, 8)
    expected, _ = mixing.rnn(x_BHWC.reshape(2, 6, 8).transpose(0, 1))  # type: ignore[operator, union-attr]
    assert torch.equal(mixing(x_BHWC), expected.transpose(0, 1).reshape(2, 2, 3, 8))  # type: ignore[operator]


def test_controls_without_recurrence_have_none_and_pooling_mixes_neighbours_only() -> None:
    torch.manual_seed(0)
    for name, far in (
        ("sequencer2d_nano", True),
        ("sequencer2d_nano_pooling", False),
        ("sequencer2d_nano_identity", False),
    ):
        network = create_model(name, num_classes=2, img_size=(64, 64)).eval()
        recurrent = [m for m in network.modules() if isinstance(m, torch.nn.RNNBase)]
        assert bool(recurrent) == far
        x_BCHW = torch.randn(1, 1, 64, 64)
        changed = x_BCHW.clone()
        changed[..., :4, :4] += 1
        before, after = network.forward_features(x_BCHW), network.forward_features(changed)
        assert isinstance(before, Tensor)
        assert isinstance(after, Tensor)
        reached = (before != after).any(dim=3)[0]
        assert reached[0, 0]
        assert bool(reached[-1, -1]) == far
        assert bool(reached[1, 1]) == (name != "sequencer2d_nano_identity")


def test_odd_files_of_tensors_are_explained(tmp_path: Path) -> None:
    good = create_model("sequencer2d_nano", num_classes=3).state_dict()
    cases = {
        "scalar head": {**good, "head.weight": torch.tensor(1.0)},
        "flat stem": {**good, "stem.proj.weight": torch.zeros(4)},
        "numbered": {0: torch.zeros(1)},
        "sparse": {**good, "norm.weight": torch.zeros(48).to_sparse()},
        "complex": {**good, "norm.weight": torch.zeros(48, dtype=torch.complex64)},
        "integers": {k: v.int() for k, v in good.items()},
        "infinite in float32": {k: torch.full_like(v, 1e300, dtype=torch.float64) for k, v in good.items()},
        "eight bits, not a number": {
            k: torch.full_like(v, float("nan")).to(torch.float8_e4m3fn) for k, v in good.items()
        },
        "two heads": {**good, "head.fc.weight": good["head.weight"]},
        "another width": {**good, "head.weight": torch.zeros(9, 999)},
    }
    for name, state in cases.items():
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(SavedModelError) as caught:
            create_model("sequencer2d_nano", num_classes=3, weights=tmp_path / "w.pth")
        assert caught.value.exit_code == 3, name
    for damage in (b"", b"<html>", b"\x80\x02junk", (tmp_path / "w.pth").read_bytes()[:500]):
        (tmp_path / "d.pth").write_bytes(damage)
        with pytest.raises(SavedModelError, match="not a file of tensors"):
            create_model("sequencer2d_nano", weights=tmp_path / "d.pth")


def test_an_archive_that_unpacks_to_much_more_is_refused_unread(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1 << 22)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as stored, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bomb:
        for entry in stored.infolist():
            bomb.writestr(entry.filename, stored.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(SavedModelError, match=r"[\d,]+ bytes that unpack to 16,[\d,]+"):
        create_model("sequencer2d_nano", weights=tmp_path / "bomb.pth")


def test_eight_bit_weights_are_read(tmp_path: Path) -> None:
    state = create_model("sequencer2d_nano", num_classes=3).state_dict()
    torch.save({k: v.to(torch.float8_e4m3fn) for k, v in state.items()}, tmp_path / "w.pth")
    network = create_model("sequencer2d_nano", weights=tmp_path / "w.pth")
    weight = network.state_dict()["stem.proj.weight"]
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, state["stem.proj.weight"], rtol=0.07, atol=0.002)


def test_own_weights_keep_their_own_image_size(tmp_path: Path) -> None:
    save_file(create_model("sequencer2d_nano", num_classes=3).state_dict(), tmp_path / "w.SAFETENSORS")
    network = create_model("sequencer2d_nano", weights=tmp_path / "w.SAFETENSORS")
    assert (network.config.img_size, network.config.num_classes) == ((28, 28), 3)
    with pytest.raises(ConfigError, match="num_classes = 0"):
        create_model("sequencer2d_nano", weights=tmp_path / "w.SAFETENSORS", num_classes=0)


def test_an_ablation_without_projection_can_be_matched() -> None:
    from linewise.models import specify

    spec = specify(
        "sequencer2d_nano",
        {"projection": "none"},
        num_classes=10,
        in_chans=1,
        img_size=(28, 28),
        match="params",
        budget=80_000,
    )
    assert abs(spec.miss or 1) < 0.01
    assert spec.sizes["channels"] == 4 * spec.sizes["hidden"]
    fixed = {"projection": "none", "channels": 48}
    spec = specify(
        "sequencer2d_nano", fixed, num_classes=10, in_chans=1, img_size=(28, 28), match="params", budget=80_000
    )
    assert spec.sizes["hidden"] == 12
