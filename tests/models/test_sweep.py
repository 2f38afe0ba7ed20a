"""Every registered network: forward, backward, learning, saving, cost, shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from linewise.foundations.errors import ConfigError
from linewise.models import create_model, list_models, parse_model, specify
from linewise.models.network import NETWORKS
from linewise.models.saved import load_model, save_model

ALL = [name for name in list_models() if name != "timm"]  # timm has its own test
TRAINED = [name for name in ALL if name != "majority"]
LARGE = [
    name for name in ALL if name.startswith(("sequencer2d_s", "sequencer2d_m", "sequencer2d_l", "sequencer1d_s"))
]
DEEP = [pytest.param(name, marks=pytest.mark.long if name in LARGE else []) for name in ALL if name != "majority"]
PREPROCESSING = {"mean": [0.5], "std": [0.25]}


def small(name: str, width: float = 8) -> dict[str, int]:
    """Sizes of a narrow one of its kind."""
    scale = NETWORKS[name].scale
    return scale(width, {}) if scale else {}


def side(name: str) -> int:
    """Pixels that suit its patches."""
    return 28 if name in LARGE or name in ("lenet5", "plaincnn") else 8


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 56), (3, 9, 14), (1, 1, 1), (3, 17, 5)])
def test_runs_on_any_shape_it_accepts_and_gives_every_weight_a_gradient(
    name: str, shape: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    channels, height, width = shape
    try:
        network = create_model(name, num_classes=4, in_chans=channels, img_size=(height, width), **small(name))
    except ConfigError as error:
        refused = error
    else:
        refused = None
    if refused:
        assert height % 28 or width % 28
        assert "divide" in refused.found or name in ("lenet5", "plaincnn")
        assert refused.expected
        return
    logits_BK = network(torch.randn(5, *shape))
    assert logits_BK.shape == (5, 4)
    if name != "majority":
        F.cross_entropy(logits_BK, torch.tensor([0, 1, 2, 3, 0])).backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("name", DEEP)
def test_learns_sixteen_images_by_heart(name: str) -> None:
    torch.manual_seed(0)
    size = side(name)
    network = create_model(name, num_classes=4, img_size=(size, size), **small(name, 16))
    x_BCHW, y_B = torch.randn(16, 1, size, size), torch.arange(16) % 4
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3 if name in LARGE else 1e-2, weight_decay=0)
    for step in range(200):
        optimiser.zero_grad()
        F.cross_entropy(network.train()(x_BCHW), y_B).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % 20 == 19 and (network.eval()(x_BCHW).argmax(1) == y_B).all():
            break
    assert (network.eval()(x_BCHW).argmax(1) == y_B).all()


@pytest.mark.parametrize("name", ALL)
def test_saved_and_loaded_answers_are_bit_equal(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    height, width = side(name), side(name) // 2 * 3 if side(name) == 8 else 28
    network = create_model(name, num_classes=3, img_size=(height, width), **small(name))
    x_BCHW = torch.randn(7, 1, height, width)
    network(x_BCHW)  # batch norm statistics move
    save_model(
        tmp_path, network, class_names=["a", "b", "猫"], preprocessing=PREPROCESSING, trained={}, version="0"
    )
    saved = load_model(tmp_path)
    assert torch.equal(saved.network(x_BCHW), network.eval()(x_BCHW))
    assert saved.card.class_names == ["a", "b", "猫"]
    shape = {"height": height, "width": width, "channels": 1, "fit": "letterbox"}
    assert saved.card.preprocessing == {**shape, **PREPROCESSING}


SOLVED = [
    pytest.param(
        name,
        match,
        shape,
        budget,
        marks=[] if name not in LARGE and (match == "macs") == (shape[0] == 3) else pytest.mark.long,
    )
    for name in ALL
    if NETWORKS[name].scale
    for match in ("params", "macs")
    for shape, budget in (((1, 28, 28), 80_000), ((3, 56, 28), 400_000))
    # dozens of blocks are slow to count: the three depths differ in nothing else, and are left to `make test-long`,
    # as the other half of the pairs of budget and shape
    if name not in LARGE or (shape[0] == 1 and (match == "params" or name.startswith("sequencer2d_s")))
]


@pytest.mark.parametrize(("name", "match", "shape", "budget"), SOLVED)
def test_the_width_solver_hits_the_budget(name: str, match: str, shape: tuple[int, int, int], budget: int) -> None:
    channels, *size = shape
    budget = budget * 40 if match == "macs" else budget
    budget = budget * 8 if name in LARGE else budget  # dozens of blocks
    spec = specify(
        name,
        {},
        num_classes=10,
        in_chans=channels,
        img_size=tuple(size),
        match=match,
        budget=budget,  # type: ignore[arg-type]
    )
    amount = spec.cost.parameters if match == "params" else spec.cost.macs
    network = create_model(name, num_classes=10, in_chans=channels, img_size=tuple(size), **spec.sizes)  # type: ignore[arg-type]
    assert spec.cost.parameters == sum(p.numel() for p in network.parameters())
    assert spec.miss == pytest.approx(amount / budget - 1)
    if NETWORKS[name].fine in spec.sizes:  # a dial of its own brings it within 1 %
        assert abs(amount / budget - 1) <= 0.01
    if abs(amount / budget - 1) > 0.01:  # the next whole number must be no nearer, and the note must say so
        assert "sizes are whole numbers" in spec.note
        for step in (-1, 1):
            other = specify(
                name,
                {k: v + step for k, v in spec.sizes.items()},
                num_classes=10,
                in_chans=channels,
                img_size=tuple(size),  # type: ignore[arg-type]
            )
            missed = (other.cost.parameters if match == "params" else other.cost.macs) / budget - 1
            assert abs(missed) >= abs(amount / budget - 1)


@pytest.mark.parametrize("name", ALL)
def test_head_and_features_are_the_whole_network(name: str) -> None:
    torch.manual_seed(0)
    size = side(name)
    network = create_model(name, num_classes=3, img_size=(size, size), **small(name)).eval()
    x_BCHW = torch.randn(2, 1, size, size)
    features = network.forward_features(x_BCHW)
    assert torch.equal(network.forward_head(features), network(x_BCHW))
    assert network.forward_head(features, pre_logits=True).shape == (2, network.num_features)
    network.reset_classifier(7)
    assert network(x_BCHW).shape == (2, 7)
    assert network.config.num_classes == 7


ONE_WAY = [n for n in ALL if create_model(n, num_classes=2, img_size=(28, 28), **small(n)).answers_each_step]


def test_networks_that_read_ahead_answer_after_each_step() -> None:
    assert ONE_WAY == ["rnn", "irnn", "lstm", "gru", "mingru", "minlstm", "lru", "rglru", "mlstm"]


@pytest.mark.parametrize("name", ONE_WAY)
@pytest.mark.parametrize("readout", ["last", "mean", "max", "attention", "last-mean"])
def test_what_was_read_so_far_decides_the_answer_so_far(name: str, readout: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=3, img_size=(8, 8), readout=readout).eval()
    x_BCHW = torch.randn(2, 1, 8, 8)
    changed = x_BCHW.clone()
    changed[:, :, 5:] = 0
    before, after = network.forward_features(x_BCHW), network.forward_features(changed)
    assert isinstance(before, torch.Tensor)
    assert isinstance(after, torch.Tensor)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    torch.testing.assert_close(network.forward_head(before[:, :5]), network.forward_head(after[:, :5]))
    assert not torch.allclose(network.forward_head(before), network.forward_head(after))


def test_majority_answers_with_the_frequencies() -> None:
    network = create_model("majority", num_classes=3)
    network.observe_labels(torch.tensor([0, 1, 1, 1, 1, 2, 1]))
    probabilities_BK = torch.softmax(network(torch.randn(2, 1, 28, 28)), dim=1)
    torch.testing.assert_close(probabilities_BK[0], torch.tensor([0.2, 0.6, 0.2]))


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        (
            "lsmt",
            {},
            "unknown model 'lsmt'\n  expected: one of {models}\n  to mend:  did you mean 'lstm'",
        ),
        (
            "lstm",
            {"hiden": 3},
            "unknown size of lstm 'hiden'\n  expected: one of body, dropout, hidden, join, layers, mlp, reading, readout"
            "\n  to mend:  did you mean 'hidden'?",
        ),
        ("lstm", {"hidden": 0}, "lstm: hidden = 0\n  expected: a whole number from 1 to 16,777,216"),
        ("lstm", {"hidden": 1.5}, "lstm: hidden = 1.5\n  expected: a value like 128"),
        ("lstm", {"dropout": 1.0}, "lstm: dropout = 1.0\n  expected: a fraction from 0 to below 1"),
        (
            "lstm",
            {"readout": "middle"},
            "unknown readout 'middle'\n  expected: one of attention, auto, last, last-mean, max, mean",
        ),
        ("lstm", {"join": "glue"}, "unknown join 'glue'\n  expected: one of concat, mean, sum"),
        (
            "lstm",
            {"body": "block"},
            "unknown body 'block'\n  expected: one of blocks, plain\n  to mend:  did you mean 'blocks'?",
        ),
        ("lstm", {"mlp": 9}, "body=plain: mlp = 9\n  expected: no mlp\n  to mend:  choose body=blocks"),
        ("vit", {"channels": 10}, "vit: channels = 10\n  expected: a multiple of its 4 heads"),
        (
            "vit",
            {"patch": 5},
            "vit: patches of 5×5 pixels do not divide images of 28×28\n  expected: height and width that are multiples of 5\n  to mend:  --size 30x30 scales the images; patch=2 or 4 or 7 or 14 divides them",
        ),
        ("sequencer2d_nano", {"cell": "lstn"}, "unknown cell 'lstn'"),
        (
            "sequencer2d_nano",
            {"union": "all"},
            "unknown union 'all'\n  expected: one of add, concat, horizontal, vertical",
        ),
        (
            "sequencer2d_nano",
            {"projection": "none", "hidden": 11},
            "projection=none: a union of 44 numbers for 48 channels, without a projection\n  expected: hidden = 12, or projection=linear",
        ),
        ("sequencer2d_nano", {"directions": 3}, "directions = 3\n  expected: 1 or 2"),
        ("sequencer1d_nano", {"channels": 7}, "hidden = 3 for 7 channels\n  expected: half the channels: 3.5"),
        ("renet", {"pooling": "sum"}, "unknown pooling 'sum'\n  expected: one of flat, max, mean"),
        ("lstm", {"dropout": 1}, "lstm: dropout = 1\n  expected: a fraction from 0 to below 1"),
        ("lstm", {"dropout": -3}, "lstm: dropout = -3\n  expected: a fraction from 0 to below 1"),
        ("vit", {"drop_path": 5}, "vit: drop_path = 5\n  expected: a fraction from 0 to below 1"),
        ("convnext", {"layer_scale": float("nan")}, "convnext: layer_scale = nan\n  expected: a finite number"),
        ("convnext", {"layer_scale": 10**400}, "convnext: layer_scale = inf\n  expected: a finite number"),
        (
            "convnext",
            {"img_size": (30, 30)},
            "convnext: patches of 4×4 pixels do not divide images of 30×30\n  expected: height and width that are multiples of 4\n"
            "  to mend:  --size 32x32 scales the images; patch=1 or 3 or 5 or 15 divides them",
        ),
        (
            "lstm",
            {"img_size": (20_000, 20_000)},
            "lstm: img_size = 20,000×20,000\n  expected: at most 67,108,864 pixels",
        ),
        ("lstm", {"img_size": ()}, "lstm: img_size = ()\n  expected: (height, width) in pixels"),
        (5, {}, "create_model: the name 5\n  expected: a text such as 'lstm'"),
        ("resnet", {"blocks": 200_000}, "resnet: blocks = 200,000\n  expected: a whole number from 1 to 256"),
        (
            "lstm",
            {"join": "mean"},
            "join = mean for one reading\n  expected: readings joined by +, such as rows+columns",
        ),
        ("lstm", {"img_size": 28}, "lstm: img_size = 28\n  expected: (height, width) in pixels"),
        (
            "lstm",
            {"img_size": (10**7, 10**7)},
            "lstm: height = 10000000\n  expected: a whole number from 1 to 65,536",
        ),
        ("lenet5", {"first": 0}, "lenet5: first = 0\n  expected: a whole number from 1 to 16,777,216"),
    ],
)
def test_wrong_sizes_are_explained(name: str, sizes: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        create_model(name, num_classes=2, **sizes)
    message = message.format(models=", ".join(sorted(list_models())))
    assert str(caught.value).startswith(message)


def test_a_network_of_a_terabyte_is_refused_before_it_is_made() -> None:
    with pytest.raises(ConfigError, match=r"has [\d,]+ parameters and needs [\d,]+ GiB"):
        create_model("lstm", num_classes=2, hidden=300_000)


@pytest.mark.parametrize("name", ["lstm", "mlp", "linear", "vit", "mixer", "lenet5", "plaincnn"])
def test_images_of_another_shape_are_refused(name: str) -> None:
    network = create_model(name, num_classes=2, img_size=(28, 16))
    with pytest.raises(ConfigError):
        network(torch.zeros(1, 1, 16, 28))


@pytest.mark.parametrize("name", [name for name in TRAINED if name not in LARGE])
def test_images_of_other_channels_are_refused(name: str) -> None:
    network = create_model(name, num_classes=2, img_size=(28, 28), **small(name))
    with pytest.raises(ConfigError):
        network(torch.zeros(1, 3, 28, 28))


@pytest.mark.parametrize("name", ["lstm", "cnn", "majority", "sequencer2d_nano"])
def test_a_new_classifier_fits_the_network_or_is_refused(name: str) -> None:
    network = create_model(name, num_classes=2).double().eval()
    network.reset_classifier(5)
    assert network(torch.zeros(2, 1, 28, 28, dtype=torch.float64)).shape == (2, 5)
    for wrong in (0, -1, "3", True):
        with pytest.raises(ConfigError, match="num_classes = "):
            network.reset_classifier(wrong)  # type: ignore[arg-type]


def test_a_large_image_costs_nothing_until_it_is_read() -> None:
    assert create_model("lstm", num_classes=2, img_size=(8000, 8000), hidden=2, reading="patches8-hilbert")


def test_a_whole_number_serves_as_a_fraction(tmp_path: Path) -> None:
    network = create_model("convnext", num_classes=2, layer_scale=1)
    assert network.config.sizes["layer_scale"] == 1.0
    assert network(torch.zeros(2, 1, 28, 28)).dtype == torch.float32


def test_a_saved_model_without_sizes_is_the_default_one(tmp_path: Path) -> None:
    network = create_model("mingru", num_classes=2)
    save_model(tmp_path, network, class_names=["a", "b"], preprocessing=PREPROCESSING, trained={}, version="0")
    card = json.loads((tmp_path / "model.json").read_text())
    card["network"]["sizes"] = {}
    (tmp_path / "model.json").write_text(json.dumps(card))
    x_BCHW = torch.rand(2, 1, 28, 28)
    assert torch.equal(load_model(tmp_path).network(x_BCHW), network.eval()(x_BCHW))


@pytest.mark.parametrize(
    ("name", "match", "shape", "budget"),
    [
        ("renet", "macs", (1, 28, 28), 2_000_000),
        ("resnet", "params", (3, 32, 32), 40_000),
        ("renet", "params", (3, 32, 32), 5_000),
        ("mlp", "params", (1, 8, 8), 10_000_000),
    ],
)
def test_the_width_solver_looks_further_where_it_must(
    name: str, match: str, shape: tuple[int, int, int], budget: int
) -> None:
    channels, *size = shape
    spec = specify(
        name,
        {},
        num_classes=10,
        in_chans=channels,
        img_size=tuple(size),
        match=match,
        budget=budget,  # type: ignore[arg-type]
    )
    assert abs(spec.miss or 1) <= 0.01


def test_widths_that_end_are_said() -> None:
    spec = specify("mlp", {}, num_classes=2, in_chans=1, img_size=(1, 1), match="params", budget=10**8)
    assert spec.note.startswith("the solver goes no wider")


def test_names_are_typed_in_python_as_on_the_command_line() -> None:
    network = create_model("gru@columns:hidden=7", num_classes=3, layers=2)
    assert network.config.name == "gru"
    assert {"reading": "columns", "hidden": 7, "layers": 2}.items() <= network.config.sizes.items()
    with pytest.raises(ConfigError, match="hidden given twice"):
        create_model("gru:hidden=7", num_classes=3, hidden=8)


def test_only_plain_numbers_are_numbers() -> None:
    assert parse_model("lstm:hidden=10")[1] == {"hidden": 10}
    assert parse_model("lstm:dropout=1e-1")[1] == {"dropout": 0.1}
    for text in ("lstm:hidden= 10", "lstm:hidden=１０", "lstm:hidden=1_0"):
        with pytest.raises(ConfigError, match="expected: a value like 128"):
            parse_model(text)


def test_what_is_typed_twice_is_refused() -> None:
    for text in ("lstm@rows:reading=columns", "lstm:hidden=5:hidden=6"):
        with pytest.raises(ConfigError, match="given twice"):
            parse_model(text)


def test_timm_is_bridged_or_says_why_not() -> None:
    try:
        import timm  # noqa: F401
    except Exception:
        with pytest.raises(ConfigError, match="timm cannot be imported") as caught:
            create_model("timm:resnet18", num_classes=3)
        assert "pip install timm" in caught.value.mend
        return
    torch.manual_seed(0)
    network = create_model("timm:resnet18", num_classes=3, in_chans=1, img_size=(32, 32)).eval()
    assert torch.equal(network(torch.zeros(2, 1, 32, 32)), network.body(torch.zeros(2, 1, 32, 32)))  # type: ignore[operator]
    assert network.family == "convolutional"
    with pytest.raises(ConfigError, match="has no model 'resnt18'"):
        create_model("timm:resnt18", num_classes=3)
