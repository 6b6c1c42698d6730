"""Recipes: presets load, seeds add up, and every mistake is answered with its place and what was expected."""

from pathlib import Path

import pytest

from nncomp.optim import AdamW
from nncomp.steps import Distill, FineTune, Prune, Quantize
from nncomp.steps.recipe import Recipe, RecipeError, presets

GOOD = """
data = "digits"
[network]
sizes = [64, 8, 10]
activation = { is = "LeakyReLU", slope = 0.2 }
norm = true
[train]
epochs = 2
optimizer = { is = "AdamW", rate = 1e-3, weight_decay = 0.1 }
[[steps]]
step = "Prune"
sparsity = 0.5
schedule = "cubic"
[steps.during]
epochs = 3
seed = 5
[[steps]]
step = "Distill"
student = { sizes = [64, 4, 10], seed = 7 }
[[steps]]
step = "Quantize"
weights = { is = "Uniform", bits = 4 }
per = { is = "PerGroup", group = 16 }
"""


def recipe(folder: Path, text: str, seed: int = 0) -> Recipe:
    (folder / "mine.toml").write_text(text)
    return Recipe.load(folder / "mine.toml", seed)


@pytest.mark.parametrize("name", presets())
def test_presets_load_and_print(name: str) -> None:
    loaded = Recipe.load(name)
    assert repr(loaded).startswith("Recipe(network=MLP(") and repr(loaded) == repr(Recipe.load(name))


def test_a_recipe_is_what_it_says_and_its_seeds_add_up(tmp_path: Path) -> None:
    zero, nine = recipe(tmp_path, GOOD), recipe(tmp_path, GOOD, seed=9)
    prune, distill, quantize = zero.steps
    assert zero.train == FineTune(epochs=2, optimizer=AdamW(rate=1e-3, weight_decay=0.1))
    assert isinstance(prune, Prune) and prune.during == FineTune(epochs=3, seed=5)
    assert isinstance(distill, Distill) and distill.student is not None and distill.student.sizes == [64, 4, 10]
    assert isinstance(quantize, Quantize) and quantize.weights.bits == 4
    assert nine.train.seed == 9 and nine.steps[0].during.seed == 14  # type: ignore[attr-defined]
    assert zero.network.fingerprint() != nine.network.fingerprint()
    assert distill.student.fingerprint() != nine.steps[1].student.fingerprint()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[network]", "[network", "not TOML"),
        ("[network]", "[net]", "unknown key 'net'; expected data, network, train, steps"),
        ("[train]\nepochs = 2\n", "[network.train]\n", "network: unknown key 'train'|needs .train."),
        ("sizes = [64, 8, 10]", "sizes = [64]", r"network: sizes run from inputs to outputs"),
        (
            "sizes = [64, 8, 10]",
            'sizes = "big"',
            "network.sizes: a list of whole numbers, .* not 'big'",
        ),
        ('is = "LeakyReLU"', 'is = "Swish"', "network.activation: expected { is = .* LeakyReLU"),
        ("slope = 0.2", "gradient = 0.2", "network.activation: unknown key 'gradient'; expected slope"),
        ('step = "Prune"', 'step = "Shrink"', "step 1: needs step = one of Prune, Quantize, FineTune, Distill"),
        ("sparsity = 0.5", "sparsity = 2", r"step 1 \(Prune\): a sparsity is between 0 and 1, not 2"),
        ("sparsity = 0.5", 'sparsity = "high"', r"step 1 \(Prune\).sparsity: unknown word 'high'"),
        ("sparsity = 0.5", "sparsity = [1]", r"step 1 \(Prune\)"),
        ("sparsity = 0.5", "", r"step 1 \(Prune\): .*sparsity"),
        ('schedule = "cubic"', 'schedule = "square"', "unknown word 'square'; expected .*cubic"),
        ("[steps.during]\nepochs = 3\nseed = 5", "during = 3", "expected a table of FineTune's fields, not 3"),
        ("epochs = 3", "epoch = 3", r"step 1 \(Prune\).during: unknown key 'epoch'; expected epochs"),
        ("epochs = 3", "epochs = 0", r"step 1 \(Prune\).during: epochs is a whole number of at least 1, not 0"),
        ("epochs = 3", "epochs = 1.5", r"step 1 \(Prune\).during: epochs is a whole number of at least 1, not 1.5"),
        ("seed = 5", "seed = 0.5", r"during: seed is a whole number"),
        ("rate = 1e-3", "rate = -1", "train.optimizer: rate is positive and finite, not -1"),
        ("student = { sizes = [64, 4, 10], seed = 7 }", "T = 2.0", r"step 2 \(Distill\): give a student, or a teacher"),
        ('data = "digits"', 'data = ["digits"]', "data is the name of a data set"),
        ("activation = {", "activation = 3 #", r"network: 3 is no activation"),
        ('{ is = "AdamW", rate = 1e-3, weight_decay = 0.1 }', "3", "train: optimizer is an SGD or Adam, not 3"),
        ("bits = 4", "bits = 40", r"step 3 \(Quantize\).weights: a uniform grid has 2 to 16 bits, not 40"),
        ('{ is = "PerGroup", group = 16 }', "16", r"step 3 \(Quantize\)"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError, match=message) as error:
        recipe(tmp_path, GOOD.replace(old, new))
    assert "mine.toml: " in str(error.value) and "\n" not in str(error.value)


def test_unknown_names(tmp_path: Path) -> None:
    for name in ("nothing", tmp_path / "none.toml"):
        with pytest.raises(RecipeError, match="no such recipe; name a .toml file or a preset: digits, lenet-300-100"):
            Recipe.load(name)
