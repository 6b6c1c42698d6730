"""Recipes: presets load, seeds add up, and every mistake is answered with its place and what was expected."""

from pathlib import Path
from typing import Any

import pytest

from nncomp.files import save
from nncomp.formats import PerGroup, Uniform, nearest_away
from nncomp.network import MLP
from nncomp.optim import SGD, AdamW
from nncomp.prune import cubic, keep_each, row_l1
from nncomp.quantize import Dynamic
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


def test_plain_words_stand_for_defaults_and_none_for_nothing(tmp_path: Path) -> None:
    text = GOOD.replace("per = {", 'inputs = "none"\ninput_ranges = "minmax"\nper = {')
    text = text.replace('{ is = "AdamW", rate = 1e-3, weight_decay = 0.1 }', '"SGD"').replace(
        '{ is = "Uniform", bits = 4 }', "{ bits = 4 }"
    )
    loaded = recipe(tmp_path, text)
    assert loaded.train.optimizer == SGD() and loaded.steps[2].inputs is None  # type: ignore[union-attr]
    assert loaded.steps[2].weights == Uniform(bits=4)  # type: ignore[attr-defined]


def test_a_teacher_is_a_file_beside_the_recipe(tmp_path: Path) -> None:
    teacher = MLP.init([4, 2], seed=3)
    save(tmp_path / "big.safetensors", teacher)
    steps = '[[steps]]\nstep = "Distill"\nteacher = "{}.safetensors"\n'
    (step,) = recipe(tmp_path, steps.format("big")).steps
    assert step.teacher.fingerprint() == teacher.fingerprint()  # type: ignore[attr-defined]
    with pytest.raises(RecipeError, match=r"mine.toml: step 1 \(Distill\).teacher: .*No such file .*none"):
        recipe(tmp_path, steps.format("none"))


def test_steps_alone_are_a_recipe_for_a_network_that_is_given(tmp_path: Path) -> None:
    loaded = recipe(tmp_path, '[[steps]]\nstep = "Quantize"\n')
    assert (loaded.network, loaded.train, loaded.steps) == (None, None, (Quantize(),))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[network]", "[network", "not TOML"),
        ("[network]", "[net]", "unknown key 'net'; expected data, network, train, steps"),
        ("[train]\nepochs = 2\n", "[network.train]\n", r"\[network\] and \[train\] come together"),
        ("sizes = [64, 8, 10]", "sizes = [64]", r"network: sizes run from inputs to outputs"),
        (
            "sizes = [64, 8, 10]",
            'sizes = "big"',
            "network.sizes: expected a list, each item a whole number, not 'big'",
        ),
        ('is = "LeakyReLU"', 'is = "Swish"', "network.activation: expected one of Identity, ReLU, LeakyReLU"),
        ("slope = 0.2", "gradient = 0.2", "network.activation: unknown key 'gradient'; expected slope"),
        ('step = "Prune"', 'step = "Shrink"', "step 1: needs step = one of Prune, Quantize, FineTune, Distill"),
        ("sparsity = 0.5", "sparsity = 2", r"step 1 \(Prune\): a sparsity is between 0 and 1, not 2"),
        ("sparsity = 0.5", 'sparsity = "high"', r"step 1 \(Prune\).sparsity: expected a number, not 'high'"),
        ("sparsity = 0.5", "sparsity = [1]", r"step 1 \(Prune\)"),
        ("sparsity = 0.5", "", r"step 1 \(Prune\): .*sparsity"),
        ('schedule = "cubic"', 'schedule = "square"', "expected one of constant, cubic, not 'square'"),
        ("[steps.during]\nepochs = 3\nseed = 5", "during = 3", "expected FineTune or .none., not 3"),
        ("epochs = 3", "epoch = 3", r"step 1 \(Prune\).during: unknown key 'epoch'; expected epochs"),
        ("epochs = 3", "epochs = 0", r"step 1 \(Prune\).during: epochs is a whole number of at least 1, not 0"),
        ("epochs = 3", "epochs = 1.5", r"step 1 \(Prune\).during.epochs: expected a whole number, not 1.5"),
        ("seed = 5", "seed = 0.5", r"during.seed: expected a whole number, not 0.5"),
        ("rate = 1e-3", "rate = -1", "train.optimizer: rate is positive and finite, not -1"),
        ("student = { sizes = [64, 4, 10], seed = 7 }", "T = 2.0", r"step 2 \(Distill\): give a student, or a teacher"),
        ('data = "digits"', 'data = ["digits"]', "data is one of digits, mnist, fashion-mnist, not"),
        ("activation = {", "activation = 3 #", r"network.activation: expected one of Identity, .*, not 3"),
        ('{ is = "AdamW", rate = 1e-3, weight_decay = 0.1 }', "3", r"train.optimizer: expected one of .*AdamW, not 3"),
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


def test_the_presets_are_what_their_first_lines_say() -> None:
    digits, lenet = Recipe.load("digits"), Recipe.load("lenet-300-100")
    assert (digits.data, lenet.data) == ("digits", "mnist")
    assert digits.network.sizes == [64, 128, 64, 10] and lenet.network.sizes == [784, 300, 100, 10]
    assert [type(step) for step in digits.steps] == [Prune, Quantize, Distill, Quantize]
    prune, quantize = lenet.steps
    assert isinstance(prune, Prune) and prune.sparsity == 0.95 and prune.schedule is cubic
    assert quantize == Quantize()


SEEDS = """
[network]
sizes = [4, 2]
seed = 1
[train]
seed = 2
[[steps]]
step = "FineTune"
seed = 3
[[steps]]
step = "Prune"
sparsity = 0.5
during = { seed = 4 }
[[steps]]
step = "Quantize"
during = { seed = 5 }
[[steps]]
step = "Distill"
student = { sizes = [4, 2], seed = 6 }
"""


def test_the_seed_is_added_to_every_seed_told_or_not(tmp_path: Path) -> None:
    loaded = recipe(tmp_path, SEEDS, seed=10)
    steps: tuple[Any, ...] = loaded.steps
    fine, prune, quantize, student = steps
    assert loaded.data == "digits"
    assert [loaded.train.seed, fine.seed, prune.during.seed, quantize.during.seed] == [12, 13, 14, 15]
    assert student.during.seed == 10
    for network, seed in ((loaded.network, 11), (student.student, 16)):
        assert network.fingerprint() == MLP.init([4, 2], seed=seed).fingerprint()


def test_words_and_tables_become_what_they_name(tmp_path: Path) -> None:
    text = GOOD.replace('step = "Prune"', 'step = "Prune"\nscores = "row_l1"\nscope = "keep_each"').replace(
        "weights = {",
        'inputs = { is = "Dynamic", format = { is = "Uniform", rounding = "nearest_away" } }\nweights = {',
    )
    prune, _, quantize = recipe(tmp_path, text).steps
    assert isinstance(prune, Prune) and (prune.scores, prune.scope, prune.schedule) == (row_l1, keep_each, cubic)
    assert isinstance(quantize, Quantize) and quantize.inputs == Dynamic(Uniform(rounding=nearest_away))
    assert (quantize.weights, quantize.per) == (Uniform(bits=4), PerGroup(16))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # Values out of range, by the key's name and the value.
        ("sparsity = 0.5", "sparsity = -0.1", r"step 1 \(Prune\): .*between 0 and 1, not -0.1"),
        ("sparsity = 0.5", "sparsity = nan", r"step 1 \(Prune\).sparsity: expected a number, not nan"),
        ("sparsity = 0.5", "sparsity = 0.5\nramp = 0", r"step 1 \(Prune\): the ramp is a fraction"),
        ("sparsity = 0.5", "sparsity = 0.5\ninterval = 0", r"step 1 \(Prune\): the interval is at least 1"),
        ("epochs = 3", "epochs = -3", r"step 1 \(Prune\).during: epochs is a whole number of at least 1, not -3"),
        ("epochs = 3", "batch = 0", r"step 1 \(Prune\).during: batch is a whole number of at least 1, not 0"),
        ("epochs = 3", "batch = 2.5", r"during.batch: expected a whole number, not 2.5"),
        ("epochs = 3", "threads = 0", r"during: threads is a whole number of at least 1, not 0"),
        ("epochs = 3", "dropout = [1.0, 0.0]", r"during: rates of dropout are from 0 to below 1, not \(1.0, 0.0\)"),
        ("epochs = 3", "dropout = [-0.1, 0.0]", r"during: rates of dropout are from 0 to below 1"),
        ("epochs = 3", "patience = 2", r"step 1 \(Prune\): gradual pruning cannot stop early"),
        ("seed = 5", "seed = -5", r"during: seed is a whole number of at least 0, not -5"),
        ("rate = 1e-3", "rate = 0", "train.optimizer: rate is positive and finite, not 0"),
        ("rate = 1e-3", "rate = nan", "train.optimizer.rate: expected a number, not nan"),
        ("rate = 1e-3", "beta1 = 1.0", "train.optimizer: beta1 is from 0 to below 1, not 1.0"),
        ("bits = 4", "bits = 1", r"step 3 \(Quantize\).weights: a uniform grid has 2 to 16 bits, not 1"),
        ("group = 16", "group = 0", r"step 3 \(Quantize\).per: .* not 0"),
        ("sizes = [64, 8, 10]", "sizes = []", "network: sizes run from inputs to outputs, each at least 1"),
        ("sizes = [64, 8, 10]", "sizes = [64, 0, 10]", r"network: sizes .* at least 1, not \[64, 0, 10\]"),
        ("sizes = [64, 4, 10]", "sizes = [64]", r"step 2 \(Distill\).student: sizes run from inputs to outputs"),
        # Other kinds of value than the one expected.
        ("epochs = 3", 'epochs = "many"', r"step 1 \(Prune\).during.epochs: expected a whole number, not 'many'"),
        ("epochs = 3", "epochs = [3]", r"during.epochs: expected a whole number, not \[3\]"),
        ("sparsity = 0.5", "sparsity = []", r"step 1 \(Prune\)"),
        ("rate = 1e-3", 'rate = "fast"', "train.optimizer.rate: expected a number, not 'fast'"),
        (
            'is = "AdamW", ',
            "",
            'expected one of SGD, Adam, AdamW, as in { is = "SGD", ... }, not .*rate',
        ),
        ('is = "AdamW"', "is = 3", "train.optimizer: expected one of SGD, Adam, AdamW, not .*is.: 3"),
        ('is = "Uniform"', 'is = "Int8"', r"step 3 \(Quantize\).weights: expected Uniform, not"),
        ('{ is = "Uniform", bits = 4 }', "8", r"step 3 \(Quantize\).weights: expected Uniform, not 8"),
        ('{ is = "Uniform", bits = 4 }', '{ is = "PerRow" }', r'weights: expected Uniform, not ."is": "PerRow".'),
        ("per = {", 'inputs = "all"\nper = {', r'inputs: expected one of Uniform, Dynamic or "none", not .all'),
        ("per = {", 'rounding = "half_range"\nper = {', "unknown key 'rounding'"),
        ("bits = 4", 'rounding = "magnitude"', "weights.rounding: expected one of nearest_even, nearest_away, not"),
        ("bits = 4", "bits = 1979-05-27", "weights.bits: expected a whole number, not datetime.date"),
        ("epochs = 2", "epochs = 2\ndropout = [0.1, true]", r"train.dropout\[1\]: expected a number, not True"),
        ("sparsity = 0.5", "", r"step 1 \(Prune\): needs sparsity, a number"),
        ("sizes = [64, 8, 10]", "", "network: needs sizes, a list, each item a whole number"),
        ("sizes = [64, 8, 10]", "sizes = [64, 8, 10]\nseed = -1", "network: a seed is at least 0, not -1"),
        ("norm = true", "norm = 3", "network.norm: expected true or false, not 3"),
        ("weight_decay = 0.1", "weight_decay = -0.1", "train.optimizer: weight_decay is at least 0 and finite"),
        ("per = {", 'input_ranges = { is = "Percentile", percent = 10 }\nper = {', "between 50 and 100, not 10"),
        ("per = {", "during = { epoch = 1 }\nper = {", r"step 3 \(Quantize\).during: unknown key 'epoch'"),
        (
            "{ sizes = [64, 4, 10], seed = 7 }",
            "3",
            r"\(Distill\).student: .*, the path of a .safetensors file",
        ),
        ("[steps.during]\nepochs = 3\nseed = 5", 'during = "long"', r"step 1 \(Prune\).during: .*, not 'long'"),
        # The frame of a recipe.
        ('[[steps]]\nstep = "Prune"\n', "[[steps]]\n", "step 1: needs step = one of Prune, Quantize"),
        ('step = "Prune"', "step = 3", "step 1: needs step = one of Prune, Quantize, FineTune, Distill"),
        ("schedule =", "scedule =", r"step 1 \(Prune\): unknown key 'scedule'; expected sparsity, scores, scope"),
        ("norm = true", "size = 3", "network: unknown key 'size'; expected sizes, activation, init, norm, seed"),
        ('data = "digits"', 'name = "digits"', "unknown key 'name'; expected data, network, train, steps"),
        (
            "student = { sizes = [64, 4, 10], seed = 7 }",
            "student = { sizes = [64, 10] }\nteacher = { sizes = [64, 10] }",
            r"step 2 \(Distill\).teacher: expected the path of a .safetensors file or .none., not .*sizes",
        ),
    ],
)
def test_more_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError, match=message) as error:
        recipe(tmp_path, GOOD.replace(old, new))
    assert str(error.value).startswith(f"{tmp_path / 'mine.toml'}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"needs \[\[steps\]\]"),
        ("train = {}\nsteps = []", r"\[network\] and \[train\] come together"),
        ("network = { sizes = [4, 2] }\nsteps = []", r"\[network\] and \[train\] come together"),
        ("network = { sizes = [4, 2] }\ntrain = {}", r"needs \[\[steps\]\]"),
        ("network = 3\ntrain = {}\nsteps = []", "network: expected a table with some of sizes, activation"),
        ("network = { sizes = [4, 2] }\ntrain = 3\nsteps = []", "train: expected a table with .*, not 3"),
        ("network = { sizes = [4, 2] }\ntrain = {}\nsteps = [3]", "step 1: needs step = one of"),
        ("\x00", "not TOML"),
    ],
)
def test_missing_tables_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"mine.toml: .*{message}"):
        recipe(tmp_path, text)


def test_what_is_no_file_of_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    for name, message in (("bytes", "bytes.toml: not TOML"), ("folder", "folder.toml': no such recipe")):
        with pytest.raises(RecipeError, match=message):
            Recipe.load(tmp_path / f"{name}.toml")
    with pytest.raises(RecipeError, match="no such recipe; name a .toml file or a preset"):
        Recipe.load(tmp_path)


def test_an_editors_byte_order_mark_and_capitals_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "MINE.TOML").write_text("steps = []", encoding="utf-8-sig")
    assert Recipe.load(tmp_path / "MINE.TOML").steps == ()
