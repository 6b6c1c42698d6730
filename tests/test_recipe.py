"""Recipes: presets load, seeds add up, and every mistake is answered with its place and what was expected."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nncomp.activations import ReLU
from nncomp.augment import Jitter
from nncomp.data import load_data
from nncomp.distill import arithmetic_mean, dkd, elementmean, linear_kernel, pkt, vid
from nncomp.factor import activation_svd, svd
from nncomp.files import save
from nncomp.fingerprint import fingerprint
from nncomp.formats import PerGroup, PerRow, Uniform, nearest_away
from nncomp.hooks import SNFS, DeepR, TopKAST
from nncomp.learning_rate import Step
from nncomp.measure import form
from nncomp.network import MLP
from nncomp.optim import SGD, AdamW
from nncomp.prune import cubic, geometric_median, keep_largest, random, row_l1, sparsegpt
from nncomp.quantize import Dynamic, hqq, l2qer, magr, spqr
from nncomp.steps import (
    Distill,
    Factor,
    FineTune,
    Preprocess,
    Prune,
    Quantize,
    Reconstruct,
    Regrow,
    Share,
    Shrink,
    compress,
)
from nncomp.steps.match import Match
from nncomp.steps.recipe import Recipe, presets
from nncomp.steps.tables import RecipeError
from nncomp.steps.written import written
from nncomp.transforms import (
    A2Q,
    EWGS,
    LSQ,
    PARQ,
    TTQ,
    TWN,
    XNOR,
    BinaryRelax,
    DoReFa,
    HardConcrete,
    Movement,
    SoftMovement,
    TrainedDSQ,
    TrainedEWGS,
    Variational,
    learned_step,
)
from nncomp.weights import LowRank

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


def test_distillation_in_words(tmp_path: Path) -> None:
    text = """
    [[steps]]
    step = "Quantize"
    weights = { bits = 2 }
    [steps.during]
    is = "Distill"
    teacher = ["big.safetensors", "big.safetensors"]
    ensemble = "arithmetic_mean"
    soft = { is = "dkd", beta = 2.0 }
    alpha_schedule = { is = "Step", at = [0.7], factor = 0.0 }
    during = { epochs = 3, augment = { pixels = 1 } }
    [[steps]]
    step = "Distill"
    student = { sizes = [16, 4, 2] }
    match = [{ loss = "vid", student = 0, weight = 0.1 }, { loss = { is = "pkt", diagonal = true } }]
    without = [1]
    """
    save(tmp_path / "big.safetensors", MLP.init([16, 2], seed=3))
    quantize, distill = recipe(tmp_path, text, seed=4).steps
    teaching = quantize.during  # type: ignore[attr-defined]
    assert isinstance(teaching, Distill) and len(teaching.teacher) == 2  # type: ignore[arg-type]
    assert teaching.ensemble is arithmetic_mean and repr(teaching.soft) == repr(partial(dkd, beta=2.0))
    assert teaching.alpha_schedule == Step((0.7,), 0.0)
    assert teaching.during == FineTune(3, augment=Jitter(1), seed=4)
    assert isinstance(distill, Distill) and distill.without == (1,) and distill.during == FineTune(seed=4)
    assert repr(distill.match) == repr((Match(vid, student=0, weight=0.1), Match(partial(pkt, diagonal=True))))
    with pytest.raises(RecipeError, match=r"\.during.soft: expected one of kl_divergence, reverse_kl, .*, not .*mse"):
        recipe(tmp_path, text.replace('{ is = "dkd", beta = 2.0 }', '"mse"'))
    with pytest.raises(RecipeError, match=r"match\[0\].loss: expected one of hint, "):
        recipe(tmp_path, text.replace('"vid"', '"kd"'))


def test_steps_alone_are_a_recipe_for_a_network_that_is_given(tmp_path: Path) -> None:
    loaded = recipe(tmp_path, '[[steps]]\nstep = "Quantize"\n')
    assert (loaded.network, loaded.train, loaded.steps) == (None, None, (Quantize(),))


def test_codes_with_outliers_and_factors_beside_them(tmp_path: Path) -> None:
    text = """
    [[steps]]
    step = "Preprocess"
    by = { is = "magr", alpha = 0.01, per = { is = "PerGroup", group = 32 } }
    [[steps]]
    step = "Quantize"
    weights = { bits = 3 }
    per = { is = "PerGroup", group = 32 }
    method = { is = "spqr", fraction = 0.02 }
    rank = 8
    low_rank = "l2qer"
    [[steps]]
    step = "Quantize"
    weights = { bits = 3, symmetric = false, integer_zero = false, arithmetic = "divide_add_round" }
    method = { is = "hqq", steps = 9 }
    """
    loaded = recipe(tmp_path, text)
    assert loaded.steps[1].rank == 8 and loaded.steps[1].low_rank is l2qer  # type: ignore[attr-defined]
    assert repr(loaded.steps[:2]) == repr((
        Preprocess(partial(magr, alpha=0.01, per=PerGroup(32))),
        Quantize(Uniform(3), PerGroup(32), method=partial(spqr, fraction=0.02), rank=8, low_rank=l2qer),
    ))  # fmt: skip
    assert repr(loaded.steps[2].method) == repr(partial(hqq, steps=9))  # type: ignore[attr-defined]
    with pytest.raises(RecipeError, match=r"step 2 \(Quantize\).low_rank: expected one of lqer, l2qer, qera, svdquant"):
        recipe(tmp_path, text.replace('"l2qer"', '"lora"'))


def test_factors_in_words(tmp_path: Path) -> None:
    text = """
    [[steps]]
    step = "Factor"
    budget = 0.25
    by = { is = "activation_svd", damp = 0.01 }
    during = { epochs = 3 }
    [[steps]]
    step = "Factor"
    rank = 8
    by = "svd"
    sparsity = 0.99
    """
    first, second = recipe(tmp_path, text, seed=2).steps
    expected = Factor(budget=0.25, by=partial(activation_svd, damp=0.01), during=FineTune(3, seed=2))
    assert repr(first) == repr(expected) and second == Factor(rank=8, by=svd, sparsity=0.99)
    for old, new, message in (
        ('"svd"', '"qr"', r"step 2 \(Factor\).by: expected one of svd, activation_svd"),
        ("rank = 8", "energy = 2.0", r"step 2 \(Factor\): energy is a fraction, above 0 and at most 1, not 2.0"),
        ("rank = 8", "", r"step 2 \(Factor\): one of rank, energy and budget says how large pairs are, not none"),
    ):
        with pytest.raises(RecipeError, match=message):
            recipe(tmp_path, text.replace(old, new))


def test_factors_in_eight_bits(tmp_path: Path) -> None:
    """The same as by hand, the words for the formats and groups of each factor included."""
    text = """
    [[steps]]
    step = "Factor"
    budget = 0.6
    [[steps]]
    step = "Quantize"
    weights = { bits = 4 }
    per = { is = "PerGroup", group = 8 }
    """
    data, network = load_data("digits"), MLP.init([64, 24, 10])
    last = recipe(tmp_path, text)(data, network)
    assert form(last.layers[0].weight).endswith(" int4") and isinstance(last.layers[0].weight, LowRank)
    by_hand = compress(network, [Factor(budget=0.6), Quantize(Uniform(4), PerGroup(8))], data)
    assert last.fingerprint() == by_hand.fingerprint()


def test_the_presets_are_what_their_first_lines_say() -> None:
    digits, lenet = Recipe.load("digits"), Recipe.load("lenet-300-100")
    assert (digits.data, lenet.data) == ("digits", "mnist")
    assert digits.network.sizes == [64, 128, 64, 10] and lenet.network.sizes == [784, 300, 100, 10]
    assert [type(step) for step in digits.steps] == [Prune, Quantize, Distill, Quantize]
    prune, quantize = lenet.steps
    assert isinstance(prune, Prune) and prune.sparsity == 0.95 and prune.schedule is cubic
    assert quantize == Quantize()


@pytest.mark.parametrize(
    ("name", "sizes", "steps"),
    [
        ("binary", [784, 256, 256, 256, 10], [Quantize]),
        ("deep-compression", [784, 300, 100, 10], [Prune, Regrow, Share]),
        ("distil-prune-int8", [784, 1200, 1200, 10], [Distill, Prune, Quantize]),
        ("int4-weight-only", [784, 300, 100, 10], [Quantize]),
        ("int8-static", [784, 300, 100, 10], [Quantize]),
        ("low-rank-int8", [784, 300, 100, 10], [Factor, Quantize]),
        ("low-rank-int8", [784, 300, 100, 10], [Factor, Quantize]),
        ("two-of-four-int8", [784, 300, 100, 10], [Prune, Quantize]),
    ],
)
def test_the_pipelines_that_are_known_are_presets(name: str, sizes: list[int], steps: list[type]) -> None:
    known = Recipe.load(name)
    assert known.network is not None and known.network.sizes == sizes and [type(step) for step in known.steps] == steps


def test_two_inputs_can_have_grids_of_their_own() -> None:
    step = Recipe.load("binary").steps[0]
    assert isinstance(step, Quantize) and isinstance(step.through, XNOR) and step.train_inputs is learned_step
    assert step.inputs == Uniform(1, signed=False, symmetric=False)
    assert step.first_inputs == Uniform(signed=False, symmetric=False)


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
    text = GOOD.replace('step = "Prune"', 'step = "Prune"\nscores = "row_l1"\nkeep = "keep_largest"').replace(
        "weights = {",
        'inputs = { is = "Dynamic", format = { is = "Uniform", rounding = "nearest_away" } }\nweights = {',
    )
    prune, _, quantize = recipe(tmp_path, text).steps
    assert isinstance(prune, Prune) and (prune.scores, prune.keep, prune.schedule) == (row_l1, keep_largest, cubic)
    assert isinstance(quantize, Quantize) and quantize.inputs == Dynamic(Uniform(rounding=nearest_away))
    assert (quantize.weights, quantize.per) == (Uniform(bits=4), PerGroup(16))


def test_functions_take_their_options_from_a_table(tmp_path: Path) -> None:
    text = '[[steps]]\nstep = "Prune"\nsparsity = 0.5\nscores = { is = "ria", a = 1 }\n'
    text += 'keep = { is = "keep_blocks", block = [4, 2] }\n'
    text += '[[steps]]\nstep = "Prune"\nsparsity = 0.5\nscores = "random"\nkeep = { is = "keep_largest" }\n'
    text += '[[steps]]\nstep = "Reconstruct"\nsparsity = 0.5\nmethod = { is = "sparsegpt", pattern = [2, 4] }\n'
    first, second, third = recipe(tmp_path, text, seed=3).steps
    assert repr(first) == "Prune(sparsity=0.5, scores=partial(ria, a=1), keep=partial(keep_blocks, block=(4, 2)))"
    assert repr(second) == "Prune(sparsity=0.5, scores=partial(random, seed=3), keep=keep_largest)"
    assert repr(third) == "Reconstruct(sparsity=0.5, method=partial(sparsegpt, pattern=(2, 4)))"
    assert recipe(tmp_path, text).steps[1] == Prune(0.5, scores=random, keep=keep_largest)
    for old, new, message in (
        ("a = 1", "b = 1", r"step 1 \(Prune\).scores: unknown key 'b'; expected a"),
        ("a = 1", 'a = "x"', r"step 1 \(Prune\).scores.a: expected a number, not 'x'"),
        ("a = 1", "norms = 1", r"unknown key 'norms'; expected a"),
        ("[4, 2]", "4", r"keep.block: expected a list of 2, each item a whole number, not 4"),
        ("[4, 2]", "[4]", r"keep.block: expected a list of 2, each item a whole number, not .4"),
        ('keep_largest" }', 'keep_largest", a = 1 }', r"unknown key 'a'; expected none"),
    ):
        with pytest.raises(RecipeError, match=message):
            recipe(tmp_path, text.replace(old, new))


def test_the_steps_that_need_no_training(tmp_path: Path) -> None:
    text = '[[steps]]\nstep = "Reconstruct"\nsparsity = 0.5\nmethod = "sparsegpt"\n'
    text += '[[steps]]\nstep = "Shrink"\nfraction = 0.25\nscores = "geometric_median"\n'
    back = '[[steps]]\nstep = "Rewind"\nto = { sizes = [4, 2], seed = 2 }\n'
    to = recipe(tmp_path, back, seed=1).steps[0].to  # type: ignore[attr-defined]
    assert to.fingerprint() == MLP.init([4, 2], seed=3).fingerprint()
    moving = '[[steps]]\nstep = "Regrow"\nby = { is = "SET", seed = 2 }\nduring = { epochs = 3 }\n'
    assert (
        repr(recipe(tmp_path, moving, seed=1).steps[0]) == "Regrow(by=SET(seed=3), during=FineTune(epochs=3, seed=1))"
    )
    assert recipe(tmp_path, text).steps == (Reconstruct(0.5, sparsegpt), Shrink(0.25, geometric_median))


def test_what_makes_sparse_while_training_is_a_word_with_options(tmp_path: Path) -> None:
    for step, by, expected in (
        ("Sparsify", '{ is = "Variational", strength = 2.0, warm = 0.3 }', Variational(2.0, 0.3)),
        ("Sparsify", '{ is = "HardConcrete", by_input = true }', HardConcrete(by_input=True)),
        ("Sparsify", '{ is = "Movement", sparsity = 0.5 }', Movement(0.5)),
        ("Sparsify", '{ is = "SoftMovement", strength = 30.0 }', SoftMovement(30.0)),
        ("Sparsify", '{ is = "TopKAST", keep = "keep_largest" }', TopKAST(keep=keep_largest)),
        ("Regrow", '{ is = "SNFS", smoothing = 0.5 }', SNFS(smoothing=0.5)),
        ("Regrow", '{ is = "DeepR", noise = 1e-4 }', DeepR(noise=1e-4)),
    ):
        found = recipe(tmp_path, f'[[steps]]\nstep = "{step}"\nby = {by}\n').steps[0]
        assert repr(found.by) == repr(expected)  # type: ignore[attr-defined]


def test_what_weights_train_through_is_a_word_with_options(tmp_path: Path) -> None:
    for through, expected in (
        ('"XNOR"', XNOR()),
        ('{ is = "LSQ", format = { is = "Uniform", bits = 2 }, per = "PerRow" }', LSQ(Uniform(2), PerRow())),
        ('{ is = "EWGS", delta = 0.1 }', EWGS(delta=0.1)),
        ('{ is = "DoReFa", bits = 3 }', DoReFa(3)),
        ('{ is = "TrainedEWGS", bits = 3, delta = 0.1 }', TrainedEWGS(3, 0.1)),
        ('{ is = "A2Q", accumulator = 12, strength = 60.0 }', A2Q(accumulator=12, strength=60.0)),
        ('{ is = "TrainedDSQ", alpha = 0.4 }', TrainedDSQ(alpha=0.4)),
        ('{ is = "TTQ", share = 0.1 }', TTQ(0.1)),
        ('{ is = "BinaryRelax", onto = "TWN", last = 50.0 }', BinaryRelax(TWN(), last=50.0)),
        ('{ is = "PARQ", onto = "XNOR", steepness = 4.0 }', PARQ(XNOR(), steepness=4.0)),
    ):
        text = f'[[steps]]\nstep = "Quantize"\nthrough = {through}\nduring = {{ epochs = 3 }}\n'
        found = recipe(tmp_path, text).steps[0]
        assert repr(found) == repr(Quantize(through=expected, during=FineTune(epochs=3)))  # type: ignore[arg-type]


def test_how_inputs_train_is_a_word_with_options(tmp_path: Path) -> None:
    text = '[[steps]]\nstep = "Quantize"\ntrain_inputs = {}\nduring = {{ epochs = 3 }}\n'
    for words, expected in (
        ('"pact"', "pact"),
        ('{ is = "learned_step", gradient_scale = false }', "partial(learned_step, gradient_scale=False)"),
    ):
        found = recipe(tmp_path, text.format(words)).steps[0]
        assert repr(found) == f"Quantize(during=FineTune(epochs=3), train_inputs={expected})"


def test_an_editors_byte_order_mark_and_capitals_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "MINE.TOML").write_text("steps = []", encoding="utf-8-sig")
    assert Recipe.load(tmp_path / "MINE.TOML").steps == ()


def test_what_a_loss_is_divided_by_and_what_it_looks_through_have_words() -> None:
    text = """[[steps]]
    step = "Distill"
    teacher = "Original"
    soft = { is = "dkd", reduction = "elementmean" }
    match = [
        { loss = { is = "hint", activation = "ReLU" } },
        { loss = { is = "rkd_angle", reduction = "elementmean" } },
        { loss = { is = "neuron_selectivity", kernel = "linear_kernel" } },
    ]"""
    (step,) = Recipe.read(text).steps
    assert isinstance(step, Distill) and step.soft.keywords == {"reduction": elementmean}  # type: ignore[attr-defined]
    hinted, angle, neurons = (match.loss.keywords for match in step.match)  # type: ignore[attr-defined]
    assert (hinted, angle, neurons) == ({"activation": ReLU()}, {"reduction": elementmean}, {"kernel": linear_kernel})
    assert fingerprint(Recipe.read(written([step])).steps) == fingerprint((step,))
