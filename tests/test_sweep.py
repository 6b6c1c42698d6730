"""Sweeps: measured once, in order, and gone on with after any interruption."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sweep import sweep

ALL = [{"rate": rate, "seed": seed} for rate in (0.1, 0.2) for seed in (0, 1)]


def counted(measured: list[dict[str, Any]], stop: int = 99) -> Any:
    def measure(**configuration: Any) -> dict[str, Any]:
        if len(measured) == stop:
            raise KeyboardInterrupt
        measured.append(configuration)
        return {"error": configuration["rate"] + configuration["seed"]}

    return measure


def results(found: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in result.items() if k != "key"} for result in found]


EXPECTED = [{**c, "error": c["rate"] + c["seed"]} for c in ALL]


@pytest.mark.parametrize("stop", range(5))
def test_a_sweep_that_was_stopped_measures_what_is_missing(tmp_path: Path, stop: int) -> None:
    path, first, second = tmp_path / "new" / "log.jsonl", [], []  # type: ignore[var-annotated]
    if stop < 4:
        with pytest.raises(KeyboardInterrupt):
            list(sweep(path, ALL, counted(first, stop)))
    else:
        list(sweep(path, ALL, counted(first)))
    assert results(sweep(path, ALL, counted(second))) == EXPECTED
    assert first + second == ALL
    assert [json.loads(line)["error"] for line in path.read_text().splitlines()] == [r["error"] for r in EXPECTED]


def test_a_torn_last_line_is_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    list(sweep(path, ALL, counted([])))
    whole = path.read_bytes()
    for cut in (1, 10, len(whole.splitlines()[-1]) + 1):
        path.write_bytes(whole[:-cut])
        again: list[dict[str, Any]] = []
        assert results(sweep(path, ALL, counted(again))) == EXPECTED
        assert again == ALL[-1:] and path.read_bytes() == whole


def test_another_configuration_is_another_line(tmp_path: Path) -> None:
    path, measured = tmp_path / "log.jsonl", []  # type: ignore[var-annotated]
    list(sweep(path, ALL[:2], counted(measured)))
    list(sweep(path, [ALL[3], ALL[0]], counted(measured)))
    assert measured == [ALL[0], ALL[1], ALL[3]] and len(path.read_text().splitlines()) == 3
