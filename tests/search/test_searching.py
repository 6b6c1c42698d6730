"""The search: one outcome whoever does the work and whenever it is stopped; what is chosen of it, by brute force."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FixedTrial

from nncomp.data import Data
from nncomp.files import FileError, load, to_bytes
from nncomp.measure import score
from nncomp.network import MLP
from nncomp.prune import keep_in_proportion
from nncomp.search import Found, PruneAndShare, Search, Workers, layer_sensitivity, workers
from nncomp.search.found import betters, smallest_within
from nncomp.search.generation import Maker, attempt
from nncomp.search.space import SPARSITIES
from nncomp.search.store import Store
from nncomp.search.trial import Trial, losses_of
from nncomp.steps import Distill, FineTune, Original, Prune, Quantize, Reconstruct, Share, compress
from tests.search.test_executors import wait
from tests.strategies.data import blobs

DATA = Data(blobs(400, 1), blobs(300, 2), blobs(200, 3), "blobs")
NETWORK = FineTune(10, batch=20)(MLP.init([12, 48, 24, 4], seed=3), DATA)
SPACE = PruneAndShare(kept=(0.1, 0.6), values=(4, 8), epochs=(2, 2, 1), rate=0.05, samples=200)
FIXED = FixedTrial({"kept": 0.25, "values": 4})
SEARCH = Search(0.02, trials=6, generation=3, seed=5, space=SPACE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return SEARCH(NETWORK, DATA, tmp_path_factory.mktemp("reference"))


def same(found: Found, reference: Found) -> bool:
    return found.to_json() == reference.to_json() and to_bytes(found.network) == to_bytes(reference.network)


class Backwards(Workers):
    """Does the last task first."""

    def each(self, function: Callable[..., Any], tasks: Mapping[Any, tuple[Any, ...]]) -> Iterator[tuple[Any, Any]]:
        yield from ((key, function(*arguments)) for key, arguments in reversed(tasks.items()))


def test_the_outcome_is_the_same_backwards_and_in_two_processes(reference: Found, tmp_path: Path) -> None:
    assert same(SEARCH(NETWORK, DATA, tmp_path / "a", Backwards()), reference)
    with workers(2) as two:
        assert same(SEARCH(NETWORK, DATA, tmp_path / "b", two), reference)
    assert not same(replace(SEARCH, seed=6)(NETWORK, DATA, tmp_path / "c"), reference)


@pytest.mark.parametrize("stop", range(7))
def test_a_search_that_is_stopped_goes_on_with_what_is_missing(reference: Found, tmp_path: Path, stop: int) -> None:
    made: list[str] = []

    class Counted(Workers):
        def each(self, function: Callable[..., Any], tasks: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
            for key, result in super().each(function, tasks):
                if function is attempt:
                    made.append(key)
                yield key, result

    def watch(done: int, of: int) -> None:
        assert of == 6
        if len(made) == stop:
            raise KeyboardInterrupt

    if stop < 7:
        with pytest.raises(KeyboardInterrupt):
            SEARCH(NETWORK, DATA, tmp_path, Counted(), watch)
    assert same(SEARCH(NETWORK, DATA, tmp_path, Counted()), reference)
    assert sorted(made) == sorted({trial.key for trial in reference.trials}), "each once"


def test_more_trials_go_on_and_are_those_of_a_longer_search(reference: Found, tmp_path: Path) -> None:
    short = replace(SEARCH, trials=4)(NETWORK, DATA, tmp_path)
    assert short.trials == reference.trials[:4]
    assert same(SEARCH(NETWORK, DATA, tmp_path), reference)
    loose = replace(SEARCH, max_drop=1.0, trials=3)(NETWORK, DATA, tmp_path)
    assert loose.trials == reference.trials[:3] and loose.chosen.size == min(t.size for t in loose.trials)


def test_killed_at_once_no_finished_trial_is_lost(reference: Found, tmp_path: Path) -> None:
    code = f"""
from tests.search.test_searching import *
SEARCH(NETWORK, DATA, {str(tmp_path)!r})
"""
    for count in (1, 4):
        running = subprocess.Popen([sys.executable, "-c", code])
        wait(lambda: len(list(tmp_path.glob("trials/*.json"))) >= count or running.poll() is not None)  # noqa: B023
        running.send_signal(signal.SIGKILL)
        running.wait()
        kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("trials/*.json")}
        assert len(kept) >= count
    assert same(SEARCH(NETWORK, DATA, tmp_path), reference)
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items())


def test_what_is_found_is_as_measured_and_the_test_split_has_no_say(reference: Found, tmp_path: Path) -> None:
    other = replace(DATA, test=None)
    assert same(SEARCH(NETWORK, other, tmp_path), reference)
    for trial in reference.trials:
        network = load(tmp_path / "trials" / f"{trial.key}.safetensors")
        assert trial.size == (tmp_path / "trials" / f"{trial.key}.safetensors").stat().st_size
        assert trial.score == score(network, DATA.validation)
        x, y = DATA.validation.x, DATA.validation.y
        right = [(n(x).argmax(axis=1) == y).astype(float) for n in (NETWORK, network)]
        assert trial.drop == pytest.approx(score(NETWORK, DATA.validation) - trial.score)
        assert trial.error == pytest.approx(np.sqrt(np.var(right[0] - right[1], ddof=1) / 300))
        assert trial.multiply_adds == sum(layer.weight.multiply_adds for layer in network.layers)
        kept = trial.parameters["kept"]
        assert abs(trial.multiply_adds - kept * (12 * 48 + 48 * 24 + 24 * 4)) <= 1.5 + 1e-6
        assert all(layer.weight.codebook.size <= trial.parameters["values"] for layer in network.layers)
    chosen = load(tmp_path / "trials" / f"{reference.chosen.key}.safetensors")
    assert reference.network.fingerprint() == chosen.fingerprint()


def test_a_generation_comes_in_the_order_it_was_asked_for_and_the_same_recipe_is_followed_once(tmp_path: Path) -> None:
    split, content = DATA.validation, to_bytes(NETWORK)
    followed: list[str] = []

    class Counted(Backwards):
        def each(self, function: Callable[..., Any], tasks: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
            followed.extend(tasks)
            return super().each(function, tasks)

    store = Store(tmp_path, {})
    store.claim()
    maker = Maker(content, DATA, "", split, losses_of(NETWORK, split), store, Counted())
    sparsities, told = (0.2, 0.9, 0.2, 0.5), []  # type: ignore[var-annotated]
    made = maker([[Prune(s)] for s in sparsities], [{"s": s} for s in sparsities], told.append)
    assert [trial.parameters["s"] for trial in made] == [*sparsities]
    assert [trial.score for trial in made] == [score(Prune(s)(NETWORK, DATA), split) for s in sparsities]
    assert len(followed) == 3 and told == [0, 1, 2, 4]


def test_the_original_is_the_answer_where_nothing_passes(tmp_path: Path) -> None:
    found = replace(SEARCH, max_drop=0.0, caution=1e6, trials=2)(NETWORK, DATA, tmp_path)
    assert all(trial.error > 0 for trial in found.trials)
    assert found.network is NETWORK and found.chosen is found.original and found.chosen.drop == 0
    assert found.original.size == len(to_bytes(NETWORK, coded=True))
    assert sum("*" in line for line in str(found).splitlines()) == (found.original in found.front)


numbers = st.integers(0, 4).map(float)
trials = st.builds(
    Trial,
    key=st.integers(0, 10**9).map(str),
    parameters=st.just({}),
    size=st.integers(1, 6),
    multiply_adds=st.integers(1, 3),
    score=numbers,
    drop=numbers,
    error=numbers,
    failed=st.sampled_from(["", "", "diverged"]),
)
given_networks = trials.map(lambda trial: replace(trial, key="original"))


@given(st.lists(trials, max_size=8, unique_by=lambda t: t.key), given_networks, numbers, numbers)
def test_front_and_choice_by_brute_force(many: list[Trial], original: Trial, max_drop: float, caution: float) -> None:
    passed = [t for t in many if t.failed == "" and t.drop + caution * t.error <= max_drop]
    chosen = smallest_within(many, max_drop, caution)
    assert (chosen is None) == (not passed) and (chosen is None or chosen.size == min(t.size for t in passed))
    front = Found(NETWORK, original, original, tuple(many)).front
    whole = [t for t in (*many, original) if not t.failed]
    for t in whole:
        at = (t.size, -t.score, t.multiply_adds)
        beaten = any(
            o[0] <= at[0] and o[1] <= at[1] and o[2] <= at[2] and o != at
            for o in ((u.size, -u.score, u.multiply_adds) for u in whole)
        )
        assert beaten == any(betters(u, t) for u in whole)
        assert beaten == (t.key not in {f.key for f in front})


@dataclass(frozen=True)
class Diverges:
    """A space whose every second trial fails."""

    all: bool = False

    def __call__(self, network: MLP, data: object, workers: Workers) -> Callable[[Any, int], list[Any]]:
        return self.ask

    def ask(self, trial: Any, seed: int) -> list[Any]:
        bad = self.all or trial.number % 2
        during = FineTune(1, optimizer=replace(FineTune().optimizer, rate=1e30 if bad else 1e-3))
        return [Prune(trial.suggest_float("s", 0.1, 0.9), during=during)]


def test_a_trial_that_fails_is_a_trial_and_no_end(tmp_path: Path) -> None:
    found = Search(1.0, trials=4, generation=2, space=Diverges())(NETWORK, DATA, tmp_path)
    assert ["diverged" in trial.failed for trial in found.trials] == [False, True, False, True]
    assert len(list(tmp_path.glob("trials/*.json"))) == 4 and len(list(tmp_path.glob("trials/*.safetensors"))) == 2
    assert not any(trial.failed for trial in found.front)
    with pytest.raises(ValueError, match=r"all 2 trials failed, the first of them: training diverged"):
        Search(1.0, trials=2, generation=2, space=Diverges(all=True))(NETWORK, DATA, tmp_path / "all")


def test_a_folder_is_of_one_search_and_its_files_are_read_without_trust(tmp_path: Path) -> None:
    search = replace(SEARCH, trials=1)
    key = search(NETWORK, DATA, tmp_path).trials[0].key
    with pytest.raises(ValueError, match="holds a search of another network, data, seed or space"):
        replace(search, seed=6)(NETWORK, DATA, tmp_path)
    with pytest.raises(ValueError, match="another network, data"):
        search(NETWORK, replace(DATA, validation=blobs(300, 9)), tmp_path)
    file = tmp_path / "trials" / f"{key}.json"
    told = json.loads(file.read_text())
    mistakes = [json.dumps(told | wrong) for wrong in ({"size": "9"}, {"size": 0}, {"more": 1})]
    for wrong in ("{", "[" * 10**5, "3", "NaN", *mistakes):
        file.write_text(wrong)
        with pytest.raises(ValueError, match=f"{key}.json is no trial: .*; remove it, and the trial is done anew"):
            search(NETWORK, DATA, tmp_path)
    file.write_text(json.dumps(told))
    network = file.with_suffix(".safetensors")
    content = network.read_bytes()
    loose = replace(search, max_drop=9.0)
    for damaged in (content[:100], b"x" * len(content), None):
        network.unlink()
        if damaged is not None:
            network.write_bytes(damaged)
        with pytest.raises(FileError, match=f"{key}.safetensors is not the network of its trial: .*; remove {key}.j"):
            loose(NETWORK, DATA, tmp_path)
    file.unlink()
    assert loose(NETWORK, DATA, tmp_path).trials[0].key == key and network.read_bytes() == content
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(ValueError, match="another network"):
        search(NETWORK, DATA, tmp_path)


def test_a_search_that_cannot_begin_leaves_the_folder_to_another(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not Quantized"):
        SEARCH(Quantize()(NETWORK, DATA), DATA, tmp_path)
    assert not list(tmp_path.iterdir())
    assert replace(SEARCH, trials=1)(NETWORK, DATA, tmp_path).trials


def test_the_space_prunes_by_the_exact_allocation_and_trains_by_the_seed() -> None:
    pruning, training, sharing = SPACE(NETWORK, DATA, Workers())(FIXED, 9)  # type: ignore[arg-type]
    assert isinstance(pruning, Prune) and isinstance(training, Distill) and isinstance(sharing, Share)
    assert pruning.sparsity == 0.75 and isinstance(pruning.keep, partial) and pruning.keep.func is keep_in_proportion
    ways = [Reconstruct(s) if s else () for s in SPARSITIES]
    rise = layer_sensitivity(NETWORK, DATA, ways, samples=200).rise
    kept = np.multiply.outer((576, 1152, 96), 1 - np.array(SPARSITIES))

    def sums(table: np.ndarray) -> np.ndarray:
        return table[0, :, None, None] + table[1, :, None] + table[2]

    best = np.where(sums(kept) <= 0.25 * 1824 + 1e-6, sums(rise), np.inf).min()
    budgets = pruning.keep.keywords["relative"]
    found = [SPARSITIES.index(s) for s in budgets]
    assert sums(kept)[tuple(found)] <= 0.25 * 1824 + 1e-6
    assert sums(rise)[tuple(found)] == pytest.approx(best, abs=1e-12) and best < 0.9 * sums(rise)[-1, -1, -1]
    assert sharing.k == 4 and isinstance(sharing.during, Distill) and sharing.during.during.epochs == 1
    for taught in (pruning.during, training, sharing.during):
        assert isinstance(taught, Distill) and isinstance(taught.teacher, Original) and taught.during.seed == 9
        assert (taught.T, taught.alpha) == (SPACE.T, SPACE.alpha)


def test_the_space_learns_values_from_the_labels_alone() -> None:
    x = DATA.train.x
    values = replace(DATA.train, y=x[:, :4] - x[:, 4:8])
    data = Data(values, values)
    network = FineTune(3)(NETWORK, data)
    steps = SPACE(network, data, Workers())(FIXED, 9)  # type: ignore[arg-type]
    pruning, training, sharing = steps
    assert isinstance(training, FineTune) and isinstance(pruning, Prune) and isinstance(pruning.during, FineTune)
    assert isinstance(sharing, Share) and isinstance(sharing.during, FineTune)
    assert score(compress(network, steps, data), values) > -values.y.var()  # better than a constant


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Search(-0.1), "at least 0, not -0.1 and 1.0"),
        (lambda: Search(caution=float("inf")), "not 0.001 and inf"),
        (lambda: Search(trials=0), "trials is a whole number of at least 1"),
        (lambda: Search(generation=0), "generation is a whole number"),
        (lambda: PruneAndShare(kept=(0.2, 0.1)), "the lower end first"),
        (lambda: PruneAndShare(kept=(0.001, 0.1)), "kept is from 0.005 to 1"),
        (lambda: PruneAndShare(values=()), "values to choose from"),
        (lambda: PruneAndShare(epochs=(1, 0, 1)), "epochs is a whole number of at least 1"),
        (lambda: PruneAndShare(epochs=(1, 1)), "three numbers of epochs"),
        (lambda: PruneAndShare(values=(10**9,)), "1000000000"),
        (lambda: PruneAndShare(rate=-1), "rate"),
        (lambda: PruneAndShare(dropout=2), "dropout"),
        (lambda: PruneAndShare(T=0), "temperature"),
        (lambda: PruneAndShare(alpha=2), "alpha"),
        (lambda: Search(space=3), "a space is a PruneAndShare"),  # type: ignore[arg-type]
        (lambda: PruneAndShare(samples=0), "samples is a whole number"),
        (lambda: SEARCH(MLP.init([9, 4]), DATA, "nowhere"), "takes 9 features"),
        (lambda: SEARCH(NETWORK, Data(DATA.train, DATA.validation.first(1)), "nowhere"), "at least two samples"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
    assert not os.path.exists("nowhere")
