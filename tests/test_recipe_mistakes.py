"""Every mistake in a recipe is answered with its place and what was expected there."""

from pathlib import Path

import pytest

from nncomp.steps.recipe import Recipe
from nncomp.steps.tables import RecipeError
from tests.test_recipe import GOOD, recipe


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
        (
            'step = "Prune"',
            'step = "Squeeze"',
            "step 1: needs step = one of Prune, Reconstruct, Shrink, Regrow, Rewind, Sparsify",
        ),
        ("sparsity = 0.5", "sparsity = 2", r"step 1 \(Prune\): a sparsity is between 0 and 1, not 2"),
        ("sparsity = 0.5", 'sparsity = "high"', r"step 1 \(Prune\).sparsity: expected a number, not 'high'"),
        ("sparsity = 0.5", "sparsity = [1]", r"step 1 \(Prune\)"),
        ("sparsity = 0.5", "", r"step 1 \(Prune\): .*sparsity"),
        ('schedule = "cubic"', 'schedule = "square"', "expected one of constant, linear, cubic, .*, not 'square'"),
        ("[steps.during]\nepochs = 3\nseed = 5", "during = 3", "expected one of FineTune, Distill or .none., .*not 3"),
        ("epochs = 3", "epoch = 3", r"step 1 \(Prune\).during: unknown key 'epoch'; expected epochs"),
        ("epochs = 3", "epochs = 0", r"step 1 \(Prune\).during: epochs is a whole number of at least 1, not 0"),
        ("epochs = 3", "epochs = 1.5", r"step 1 \(Prune\).during.epochs: expected a whole number, not 1.5"),
        ("seed = 5", "seed = 0.5", r"during.seed: expected a whole number, not 0.5"),
        ("rate = 1e-3", "rate = -1", "train.optimizer: rate is positive and finite, not -1"),
        ("student = { sizes = [64, 4, 10], seed = 7 }", "T = 2.0", r"step 2 \(Distill\): give a student, or a teacher"),
        ('data = "digits"', 'data = ["digits"]', "data is one of digits, mnist, fashion-mnist, not"),
        ("activation = {", "activation = 3 #", r"network.activation: expected one of Identity, .*, not 3"),
        ('{ is = "AdamW", rate = 1e-3, weight_decay = 0.1 }', "3", r"train.optimizer: expected one of .*AdamW, not 3"),
        ("bits = 4", "bits = 40", r"step 3 \(Quantize\).weights: a uniform grid has 1 to 16 bits, not 40"),
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
        with pytest.raises(RecipeError, match="no such recipe; .* or a preset: binary, deep-compression, "):
            Recipe.load(name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # Values out of range, by the key's name and the value.
        ("sparsity = 0.5", "sparsity = -0.1", r"step 1 \(Prune\): .*between 0 and 1, not -0.1"),
        ("sparsity = 0.5", "sparsity = nan", r"step 1 \(Prune\).sparsity: expected a number, not nan"),
        ("sparsity = 0.5", "sparsity = 0.5\nramp = 0", r"step 1 \(Prune\): the ramp is a fraction"),
        (
            "sparsity = 0.5",
            "sparsity = 0.5\ninterval = 0",
            r"step 1 \(Prune\): interval is a whole number",
        ),
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
        ("bits = 4", "bits = 1", r"step 3 \(Quantize\).weights: a grid of 1 bit has two codes"),
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
        ('is = "Uniform"', 'is = "Int8"', r"step 3 \(Quantize\).weights: expected one of Uniform, float16, .* not"),
        (
            '{ is = "Uniform", bits = 4 }',
            "8",
            r"step 3 \(Quantize\).weights: expected one of Uniform, float16, .* not 8",
        ),
        (
            '{ is = "Uniform", bits = 4 }',
            '{ is = "PerRow" }',
            r'weights: expected one of Uniform, float16, .* not ."is": "PerRow".',
        ),
        ("per = {", 'inputs = "all"\nper = {', r'inputs: expected one of Uniform, Dynamic or "none", not .all'),
        ("per = {", 'rounding = "half_range"\nper = {', "unknown key 'rounding'"),
        (
            "bits = 4",
            'rounding = "magnitude"',
            "weights.rounding: expected one of nearest_even, nearest_away, half_up, not",
        ),
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
        ('[[steps]]\nstep = "Prune"\n', "[[steps]]\n", "step 1: needs step = one of Prune, Reconstruct"),
        (
            'step = "Prune"',
            "step = 3",
            "step 1: needs step = one of Prune, Reconstruct, Shrink, Regrow, Rewind, Sparsify",
        ),
        ("schedule =", "scedule =", r"step 1 \(Prune\): unknown key 'scedule'; expected sparsity, scores, keep"),
        ("norm = true", "size = 3", "network: unknown key 'size'; expected sizes, activation, init, norm, seed"),
        ('data = "digits"', 'name = "digits"', "unknown key 'name'; expected data, network, train, steps"),
        (
            "student = { sizes = [64, 4, 10], seed = 7 }",
            "student = { sizes = [64, 10] }\nteacher = { sizes = [64, 10] }",
            r"step 2 \(Distill\).teacher: expected one of Original, the path of a .*file or a list, .* not .*sizes",
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


def test_a_negative_seed_and_a_table_without_end(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="a seed is at least 0, not -1"):
        recipe(tmp_path, GOOD, seed=-1)
    with pytest.raises(RecipeError, match="mine.toml: not a recipe: nested too deeply"):
        recipe(tmp_path, "steps = " + "[" * 100_000)


def test_what_is_no_file_of_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    for name, message in (("bytes", "bytes.toml: not TOML"), ("folder", "folder.toml': no such recipe")):
        with pytest.raises(RecipeError, match=message):
            Recipe.load(tmp_path / f"{name}.toml")
    with pytest.raises(RecipeError, match="no such recipe; name a .toml file, a network's file, or a preset"):
        Recipe.load(tmp_path)
