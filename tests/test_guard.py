"""Guards: what a step may cost, what is tried where it costs more, and what is left of a run that is ended."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from nncomp.data import Data, Split
from nncomp.files import load, to_bytes
from nncomp.formats import Uniform
from nncomp.hooks import Hook
from nncomp.measure import accuracy, agreement
from nncomp.network import MLP
from nncomp.optim import SGD, Adam
from nncomp.quantize import MeanSquared
from nncomp.steps import (
    Factor,
    FineTune,
    Guard,
    Prune,
    Quantize,
    Share,
    Shrink,
    TooMuchLost,
    compress,
    halve,
    stop,
    undo,
)
from nncomp.steps.gentler import gentler
from nncomp.steps.log import Log
from nncomp.steps.recipe import Recipe
from nncomp.steps.run import log_of, run
from nncomp.steps.tables import RecipeError
from nncomp.transforms import TWN
from tests.strategies.data import blobs
from tests.test_checkpoint import Stop

DATA = Data(blobs(300, 1), blobs(200, 2))
SHORT = FineTune(epochs=3, batch=50, optimizer=Adam(rate=5e-3))


@pytest.fixture(scope="module")
def dense() -> MLP:
    return replace(SHORT, epochs=10)(MLP.init([12, 16, 8, 4]), DATA)


@dataclass(frozen=True)
class Break:
    """A step that leaves a network which says the same of everything."""

    def __call__(self, network: MLP, data: Data, hooks: tuple[Hook, ...] = ()) -> MLP:
        return network.with_layers(
            lambda layer: replace(layer, weight=layer.weight.masked(np.zeros(layer.weight.shape, bool)))
        )


@dataclass(frozen=True)
class Infinite:
    """A step that leaves a network with infinite outputs."""

    def __call__(self, network: MLP, data: Data, hooks: tuple[Hook, ...] = ()) -> MLP:
        return network.with_layers(lambda layer: replace(layer, bias=layer.bias + np.float32(np.inf)))


def test_a_step_that_costs_little_is_the_step(dense: MLP) -> None:
    after, attempts = Guard(0.05)(Quantize(), dense, dense, DATA)
    assert after.fingerprint() == Quantize()(dense, DATA).fingerprint()
    assert [(a.step, a.allowed, a.agreement) for a in attempts] == [(Quantize(), True, None)]
    assert attempts[0].score == accuracy(after, DATA.validation)


def test_one_that_costs_too_much_is_undone(dense: MLP) -> None:
    after, attempts = Guard(0.05, then=undo)(Prune(0.99), dense, dense, DATA)
    assert after is dense and [a.allowed for a in attempts] == [False]
    assert attempts[0].score == accuracy(Prune(0.99)(dense, DATA), DATA.validation)


@pytest.mark.parametrize("lost", ["training", "outputs"])
def test_one_that_diverges_has_lost_everything(dense: MLP, lost: str, tmp_path: Path) -> None:
    wild = replace(SHORT, optimizer=SGD(1e20))
    step = wild if lost == "training" else Infinite()
    after, attempts = Guard(0.05, then=undo)(step, dense, dense, DATA)
    assert after is dense and attempts == [(step, -np.inf, None, False)]
    with pytest.raises(TooMuchLost, match=rf"{type(step).__name__}\(.*(positive and finite|hold inf)") as error:
        compress(dense, (Quantize(), step), DATA, guard=Guard(0.05))
    assert error.value.attempts == attempts
    followed = list(run(Recipe(dense, None, (step, Quantize()), guard=Guard(0.05, then=undo)), DATA, tmp_path))
    assert followed[-1][1].fingerprint() == Quantize()(dense, DATA).fingerprint()
    assert json.loads(log_of(tmp_path)[1])["tried"] == [f"{step!r}: -inf"]


def test_or_halved_up_to_three_times(dense: MLP) -> None:
    after, attempts = Guard(0.02, then=halve)(Prune(0.98), dense, dense, DATA)
    tried = [a.step.sparsity for a in attempts]  # type: ignore[attr-defined]
    assert tried == [0.98, 0.49, 0.245, 0.1225][: len(tried)] and len(tried) > 1
    assert [a.allowed for a in attempts] == [False] * (len(tried) - 1) + [True]
    assert after.fingerprint() == Prune(tried[-1])(dense, DATA).fingerprint()
    never, attempts = Guard(0.0, min_agreement=1.0, then=halve)(Share(1), dense, dense, DATA)
    assert len(attempts) <= 4 and [a.step.k for a in attempts] == [1, 2, 4, 8][: len(attempts)]  # type: ignore[attr-defined]
    assert (never is dense) == (not attempts[-1].allowed)
    pairs, attempts = Guard(0.0, min_agreement=0.98, then=halve)(Factor(rank=1), dense, dense, DATA)
    assert [a.step.rank for a in attempts] == [1, 2, 4, 8][: len(attempts)] and len(attempts) > 1  # type: ignore[attr-defined]
    assert attempts[-1].allowed and pairs.fingerprint() == attempts[-1].step(dense, DATA).fingerprint()
    nothing, attempts = Guard(0.02, then=halve)(Break(), dense, dense, DATA)
    assert nothing is dense and len(attempts) == 1, "there is no half of it"


def test_or_it_ends_the_run(dense: MLP) -> None:
    message = r"^Prune\(sparsity=0.99\): the score on the validation split falls from 0\.\d+ to 0\.\d+, more than Guard"
    with pytest.raises(TooMuchLost, match=message) as caught:
        Guard(0.05)(Prune(0.99), dense, dense, DATA)
    assert [a.allowed for a in caught.value.attempts] == [False]


def test_agreement_counts_beside_accuracy(dense: MLP) -> None:
    """Labels that are those of the pruned network: it could not be more accurate, and is another network."""
    pruned = Prune(0.9)(dense, DATA)
    x = DATA.validation.x
    data = Data(DATA.train, Split(x, pruned(x).argmax(axis=1)))
    same = agreement(pruned, dense, x)
    _, (attempt,) = Guard(1.0, min_agreement=same - 0.001, then=undo)(Prune(0.9), dense, dense, data)
    assert attempt == (Prune(0.9), 1.0, same, True)
    after, _ = Guard(1.0, min_agreement=same + 0.001, then=undo)(Prune(0.9), dense, dense, data)
    assert after is dense
    with pytest.raises(TooMuchLost, match=rf"agreement with the original falls to {same:.4f}, more than"):
        Guard(1.0, min_agreement=1.0)(Prune(0.9), dense, dense, data)


def test_values_have_a_score_as_well() -> None:
    x = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    network = MLP.init([4, 8, 2])
    data = Data(Split(x, network(x)), Split(x, network(x)))
    kept, _ = Guard(0.05, then=undo)(Quantize(), network, network, data)
    gone, _ = Guard(0.05, then=undo)(Prune(0.95), network, network, data)
    assert kept is not network and gone is network


def test_losses_add_up_from_the_original(dense: MLP) -> None:
    """Each step from the one before loses little; the third in turn loses too much of the first."""
    steps, networks = [Prune(s) for s in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)], [dense]
    for step in steps:
        networks.append(step(networks[-1], DATA))
    drops = [accuracy(dense, DATA.validation) - accuracy(n, DATA.validation) for n in networks[1:]]
    limit = sorted(drops)[3] - 1e-9
    guarded = compress(dense, steps, DATA, guard=Guard(limit, then=undo))
    allowed = [s for s, drop in zip(steps, drops) if drop <= limit]
    assert allowed == steps[: len(allowed)], "the more is pruned, the more is lost"
    assert guarded.fingerprint() == networks[len(allowed)].fingerprint()


def test_half_a_step(dense: MLP) -> None:
    half = Prune(0.5)(dense, DATA)
    again = gentler(Prune(0.9), half)
    assert isinstance(again, Prune) and again.sparsity == pytest.approx(0.7, abs=0.01)
    assert gentler(Quantize(Uniform(2), inputs=Uniform(3, signed=False, symmetric=False)), dense) == Quantize(
        Uniform(4), inputs=Uniform(6, signed=False, symmetric=False)
    )
    assert gentler(Quantize(Uniform(5)), dense) == Quantize(Uniform(8))
    two, four = Uniform(2), Uniform(4)
    fitted = Quantize(two, weight_ranges=MeanSquared(two), inputs=Uniform(8), input_ranges=MeanSquared(Uniform(8)))
    assert gentler(fitted, dense) == replace(fitted, weights=four, weight_ranges=MeanSquared(four))
    assert gentler(Prune(0.6), Prune(0.9)(dense, DATA)) is None, "there is nothing between"
    assert gentler(Factor(rank=3, sparsity=0.9), dense) == Factor(rank=6, sparsity=0.9)
    assert gentler(Factor(energy=0.5, during=SHORT), dense) == Factor(energy=0.75, during=SHORT)
    assert gentler(Factor(budget=0.25), dense) == Factor(budget=0.5)
    assert gentler(Factor(budget=0.75), dense) == Factor(budget=1.0)
    whole = Factor(energy=1.0), Factor(budget=1.0)
    for step in (Quantize(), Quantize(through=TWN(), during=SHORT), FineTune(), Shrink(0.5), *whole):
        assert gentler(step, dense) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(max_drop=-0.1), "at least 0 and finite, not -0.1"),
        (dict(max_drop=float("nan")), "not nan"),
        (dict(min_agreement=1.5), "between 0 and 1, not 1.5"),
    ],
)
def test_limits_that_are_none(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Guard(**settings)  # type: ignore[arg-type]


RECIPE = Recipe(None, None, (Quantize(), Prune(0.99), Quantize(Uniform(4))), guard=Guard(0.05))


def test_what_is_on_disk_is_the_last_good_network(dense: MLP, tmp_path: Path) -> None:
    done = []
    with pytest.raises(TooMuchLost, match=r"Prune\(sparsity=0.99\)"):
        for stage in run(replace(RECIPE, network=dense), DATA, tmp_path):
            done.append(stage)
    assert [name for name, _ in done] == ["Given", "Quantize"]
    kept = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert kept == ["1-Quantize.safetensors"]
    assert load(tmp_path / kept[0]).fingerprint() == Quantize()(dense, DATA).fingerprint()
    given, quantize, prune = (json.loads(line) for line in log_of(tmp_path))
    assert (given["stage"], given["step"], given["disk"]) == ("Given", "nothing", len(to_bytes(dense)))
    assert (quantize["stage"], quantize["step"], quantize["tried"]) == ("Quantize", "Quantize()", [])
    assert prune["step"] == "nothing" and prune["tried"][0].startswith("Prune(sparsity=0.99): 0.")
    assert prune["disk"] == quantize["disk"] and prune["score"] == quantize["score"]


def test_a_run_goes_on_without_what_costs_too_much_and_says_so(dense: MLP, tmp_path: Path) -> None:
    recipe = replace(RECIPE, network=dense, guard=Guard(0.05, then=undo))
    *_, (name, last) = run(recipe, DATA, tmp_path)
    assert name == "Quantize 2"
    assert last.fingerprint() == compress(dense, recipe.steps[::2], DATA).fingerprint()
    (tmp_path / "log.jsonl").write_text("\n".join(log_of(tmp_path)))
    log = Log.read(tmp_path / "log.jsonl")
    assert [entry.stage for entry in log.entries] == ["Given", "Quantize", "Prune", "Quantize 2"]
    assert "Prune: took nothing; not Prune(sparsity=0.99): 0." in str(log)
    assert [entry.seed for entry in log.entries] == [None] * 4 and all(entry.seconds > 0 for entry in log.entries[1:])
    coded = list(run(replace(recipe, steps=(Share(4),)), DATA, tmp_path / "coded", coded=True))
    sizes = [json.loads(line)["disk"] for line in log_of(tmp_path / "coded")]
    networks = [network for _, network in coded]
    assert sizes == [len(to_bytes(n, coded=True)) for n in networks] != [len(to_bytes(n)) for n in networks]
    log.plot(tmp_path / "log.png")
    assert (tmp_path / "log.png").read_bytes()[:4] == b"\x89PNG"


def test_halved_trainings_that_were_stopped_go_on(dense: MLP, tmp_path: Path) -> None:
    """The second attempt is interrupted; the first is not trained again, and the end is the same."""
    step = Prune(0.98, during=replace(SHORT, epochs=4))
    recipe = Recipe(dense, None, (step,), guard=Guard(0.01, then=halve))
    begun: list[str] = []

    def watch(name: str) -> tuple[Hook, ...]:
        begun.append(name)
        return (Stop(13),) if len(begun) == 2 else ()

    with suppress(KeyboardInterrupt):
        list(run(recipe, DATA, tmp_path / "a", watch, every=0))
    assert len(begun) == 2 and len(list((tmp_path / "a").glob("*.training"))) == 2
    (*_, (_, resumed)) = run(recipe, DATA, tmp_path / "a", watch, every=0)
    (*_, (_, whole)) = run(recipe, DATA, tmp_path / "b")
    assert resumed.fingerprint() == whole.fingerprint() and not list((tmp_path / "a").glob("*.training"))


def test_guards_in_recipes(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text('guard = { max_drop = 0.02, then = "halve" }\n[[steps]]\nstep = "Quantize"\n')
    assert Recipe.load(file).guard == Guard(0.02, then=halve)
    file.write_text('guard = { then = "pray" }\nsteps = []\n')
    with pytest.raises(RecipeError, match=r"guard.then: expected one of stop, undo, halve, not 'pray'"):
        Recipe.load(file)
    assert stop in (Guard().then,)


GOOD = json.dumps({
    "stage": "Train", "step": "FineTune()", "seed": 0, "seconds": 2.5, "stored": 2600, "disk": 3000, "nonzeros": 650,
    "multiply_adds": 640, "score": 0.93, "agreement": 1.0, "tried": [],
})  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no stage of a run"),
        ("{", "line 1 is no stage of a run"),
        (GOOD + "\n[]", r"line 2 is no stage of a run: a stage has stage, step, .* not \[\]"),
        (GOOD.replace("2600", '"many"'), "stored cannot be 'many'"),
        (GOOD.replace("3000", "0"), "disk cannot be 0"),
        (GOOD.replace("640", "-1"), "multiply_adds cannot be -1"),
        (GOOD.replace("0.93", "NaN"), "score cannot be nan"),
        (GOOD.replace("[]", '["a", 1]'), "tried is a list of strings"),
        (GOOD.replace('"seed"', '"sown"'), "a stage has"),
        ("[" * 100_000, "line 1 is no stage"),
    ],
)
def test_a_log_that_is_none_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "log.jsonl").write_text(content)
    with pytest.raises(ValueError, match=message):
        Log.read(tmp_path / "log.jsonl")
