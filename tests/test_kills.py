"""A sample of `benchmarks.kills`: processes that write, train and compress, killed at random and started again."""

import random
from pathlib import Path

import pytest

from benchmarks.kills import KINDS, content, killed, trained, undisturbed, wrote

RUNS = {"write": 7, "train": 7, "compress": 6}


@pytest.mark.stress
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_and_the_bytes_are_the_same(kind: str) -> None:
    expected, seconds = undisturbed(kind)
    kills = sum(killed(kind, 1000 + run, expected, seconds)["kills"] for run in range(RUNS[kind]))
    assert kills > 0


def test_what_was_lost_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "result").write_bytes(content(3))
    wrote(tmp_path, 3)
    with pytest.raises(AssertionError, match="4 was written, 3 is there"):
        wrote(tmp_path, 4)
    (tmp_path / "result").write_bytes(content(3)[:-1])
    with pytest.raises(AssertionError):
        wrote(tmp_path, 3)
    (tmp_path / "training").write_bytes(random.Random(0).randbytes(100))
    with pytest.raises(ValueError, match="header"):
        trained(tmp_path, 0)
