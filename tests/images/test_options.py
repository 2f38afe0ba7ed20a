"""Options: what can be asked for, and what a slip answers."""

from __future__ import annotations

import pytest

from linewise.foundations.errors import ConfigError
from linewise.images import ImageOptions, SplitOptions, parse_share, parse_size

SIZE = "\n  expected: HEIGHTxWIDTH in pixels, such as 32x48, or one number such as 28; at most 4096"


@pytest.mark.parametrize(
    ("text", "size"),
    [("28", (28, 28)), ("32x48", (32, 48)), ("32X48", (32, 48)), (" 8 × 9 ", (8, 9)), (None, None)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "28x", "x28", "28x0", "-3", "2.5", "5000", "99999999999", "axb"])
def test_no_sizes(refusal, text):
    assert refusal(lambda: parse_size(text), ConfigError) == f"--size: {text!r} is no size" + SIZE


@pytest.mark.parametrize(("text", "share"), [("0.2", 0.2), ("20%", 0.2), ("10000", 10_000), (None, None)])
def test_shares(text, share):
    assert parse_share(text, where="--test") == share
    assert type(parse_share(text, where="--test")) is type(share)


@pytest.mark.parametrize("text", ["", "0", "1.5", "-1", "0.0", "nan", "inf", "100%", "many", "²", "10,000"])
def test_no_shares(refusal, text):
    assert refusal(lambda: parse_share(text, where="--test"), ConfigError) == (
        f"--test: {text!r} is neither a share nor a number of images"
        "\n  expected: a share between 0 and 1, such as 0.2, or a whole number, such as 10000"
    )


def test_unknown_option_with_the_nearest(refusal):
    assert refusal(lambda: ImageOptions(fitt="crop"), ConfigError) == (
        "unknown option 'fitt'\n  expected: one of size, fit, channels, max_megapixels, skip_unreadable"
        "\n  to mend:  did you mean 'fit'?"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ImageOptions(fit="squeeze"),
            "ImageOptions: fit = 'squeeze'\n  expected: Input should be 'letterbox', 'crop' or 'stretch'",
        ),
        (
            lambda: ImageOptions(size=(0, 5)),
            "ImageOptions: size = (0, 5)\n  expected: Value error, height and width from 1 to 4096 pixels",
        ),
        (
            lambda: SplitOptions(validation=1.5),
            "SplitOptions: validation = 1.5\n  expected: Value error, a share between 0 and 1, such as 0.2, or a whole "
            "number of images",
        ),
        (
            lambda: SplitOptions(images=-5),
            "SplitOptions: images = -5\n  expected: Input should be greater than or equal to 2",
        ),
    ],
)
def test_values_out_of_range(refusal, make, message):
    assert refusal(make, ConfigError) == message
