"""What torchrun's variables say."""

from __future__ import annotations

import pytest

from linewise.foundations.errors import ConfigError
from linewise.foundations.ranks import Ranks, ranks_of

TOLD = {
    "TORCHELASTIC_RUN_ID": "none", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2",
    "TORCHELASTIC_RESTART_COUNT": "5", "TORCHELASTIC_MAX_RESTARTS": "6",
}  # fmt: skip


def test_ranks_of_torchrun_only() -> None:
    assert ranks_of(TOLD) == Ranks(3, 4, 1, 2, restarts=5, most_restarts=6)
    assert Ranks(3, 4, 1, 2, 5, 6).begin_again
    assert not Ranks(3, 4, 1, 2, 6, 6).begin_again
    assert not Ranks(3, 4, 1, 2).begin_again
    assert not Ranks(3, 4, 1, 2).is_first
    assert Ranks(0, 4, 0, 2).is_first
    assert ranks_of({name: value for name, value in TOLD.items() if name != "TORCHELASTIC_RUN_ID"}) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"RANK": "4"},
            "environment: RANK=4, WORLD_SIZE=4, LOCAL_RANK=1, LOCAL_WORLD_SIZE=2 do not go together\n"
            "  to mend:  start it by torchrun",
        ),
        (
            {"RANK": "-1"},
            "environment: RANK='-1'\n  expected: a whole number, as torchrun sets it\n"
            "  to mend:  start it by torchrun",
        ),
    ],
)
def test_variables_that_cannot_be_are_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ranks_of(TOLD | wrong)
    assert str(caught.value) == message
