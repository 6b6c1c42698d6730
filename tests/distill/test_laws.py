"""The laws of every distillation loss: its gradients, its zero, its bound, what it does not see, what it refuses."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nncomp.activations import LeakyReLU
from nncomp.distill import hint
from nncomp.losses import log_probabilities
from tests.gradients import assert_gradient
from tests.strategies.distillation import LOSSES
from tests.strategies.weights import seeds

LOGITS = {name for name, loss in LOSSES.items() if not loss.features}
RELATIONS = {name for name in LOSSES if name.startswith(("rkd", "similarity", "correlation", "pkt"))}
REGRESSED = {name for name, loss in LOSSES.items() if len(loss.draw(np.random.default_rng(0))) > 2}
PAIRS = RELATIONS - {n for n in LOSSES if n.startswith(("similarity", "correlation", "pkt, code"))} | {"contrastive"}

ZERO = LOSSES.keys() - REGRESSED - {"soft cross-entropy", "kd", "kd, weights", "nkd", "label smoothing"}
ZERO -= {"dist, code"}  # whose eps keeps every correlation below 1
ZERO_BY_IDENTITY = {"hint", "margin relu", "factor transfer, linear"}  # where the regressor changes nothing
SHIFTED = LOGITS - {"logit regression"}
SCALED = {"attention transfer", "attention transfer, code", "pkd", "logit standardization"} | RELATIONS
SCALED |= {name for name in LOSSES if name.startswith("neuron")}
ROTATED = RELATIONS

KINKS = 1e-3  # no entry of what a loss has a kink in may be nearer to it


def each(names: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", sorted(names))  # type: ignore[call-overload]


def away_from_kinks(name: str, arrays: list[np.ndarray]) -> bool:
    """Whether a step of the gradient test stays on one side of every kink."""
    student, teacher, *params = arrays
    if name == "total variation":
        p, q = (np.exp(log_probabilities(z / 2)) for z in (student, teacher))
        return bool(np.abs(p - q).min() > KINKS)
    if name.startswith("factor"):
        z = student @ params[0].T + params[1]
        F = LeakyReLU(0.2)(z) if name == "factor transfer" else z
        U, U_t = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (F, teacher))
        return bool(np.abs(z).min() > KINKS and np.abs(U - U_t).min() > KINKS)
    if name == "paraphrase":
        return bool(np.abs(student @ params[0].T + params[1]).min() > KINKS)
    return True


@each(LOSSES)
@settings(max_examples=25)
@given(batch=st.integers(3, 6), width=st.integers(3, 6), teachers=st.integers(2, 5), seed=seeds)
def test_gradients(name: str, batch: int, width: int, teachers: int, seed: int) -> None:
    student, teacher, *params = arrays = LOSSES[name].draw(np.random.default_rng(seed), batch, width, teachers)
    assume(away_from_kinks(name, arrays))
    _, gradients = LOSSES[name](*arrays)
    assert_gradient(
        lambda s, *p: LOSSES[name](s, teacher, *p)[0], [student, *params], gradients, seed,
        # what cancels: logarithms, which are differences of logits, and squares of features
        terms=max(float((a * a).max()) for a in arrays),
    )  # fmt: skip


@each(ZERO | ZERO_BY_IDENTITY)
@settings(max_examples=25)
@given(batch=st.integers(3, 6), width=st.integers(3, 6), seed=seeds)
def test_zero_and_no_gradient_where_the_student_is_the_teacher(name: str, batch: int, width: int, seed: int) -> None:
    _, teacher, *params = LOSSES[name].draw(np.random.default_rng(seed), batch, width, width)
    if params:
        params = [np.eye(width), np.zeros(width)]
    if name == "margin relu":  # what the margins cut off is not matched
        teacher = np.maximum(teacher, -0.5)
    loss, gradients = LOSSES[name](teacher.copy(), teacher, *params)
    apart = LOSSES[name](teacher + np.random.default_rng(seed).standard_normal(teacher.shape), teacher, *params)
    eps = np.finfo(float).eps
    # A divergence is a difference of terms no larger than its logarithms; MMD of three means of kernels up to 1.
    assert abs(loss) <= 64 * eps * np.square(teacher).sum()
    assert max(np.abs(g).max() for g in gradients) <= 64 * eps * np.square(teacher).sum()
    assert apart[0] > 1e-6 and max(np.abs(g).max() for g in apart[1]) > 1e-6, "elsewhere it is neither"


def least(name: str, student: np.ndarray, teacher: np.ndarray) -> float:
    """The bound from below: 0, but for cross-entropies with teachers who are unsure, and for variances."""
    batch, width = teacher.shape
    if name == "soft cross-entropy":
        log_q = log_probabilities(teacher / 2)
        return -4 * float((np.exp(log_q) * log_q).sum()) / batch
    if name == "vid":
        return width * np.log(1e-5) / 2
    return 0.0


MOST = {  # and the bounds from above, with the temperatures and weights of the table
    "total variation": 1.0,
    "jensen-shannon": 4 * np.log(2),
    "jensen-shannon, 0.1": -(0.1 * np.log(0.1) + 0.9 * np.log(0.9)),
    "alpha 0.5": 4 * 4.0,
    "dist": 2 * (0.7 + 1.3),
    "attention transfer": np.sqrt(2),  # of maps without negative entries
    "pkd": 4.0,
    "neuron selectivity": 2.0,
    "rkd angle": 1.5,
}


@each(LOSSES)
@settings(max_examples=25)
@given(batch=st.integers(3, 6), width=st.integers(3, 6), size=st.sampled_from([1e-3, 1.0, 30.0]), seed=seeds)
def test_never_below_its_bound_nor_above(name: str, batch: int, width: int, size: float, seed: int) -> None:
    student, teacher, *params = LOSSES[name].draw(np.random.default_rng(seed), batch, width, width)
    student, teacher = student * size, teacher * size
    try:
        loss, _ = LOSSES[name](student, teacher, *params)
    except ValueError as error:  # powers of what is sure to be wrong; what is sure of one class alone
        assert name in ("alpha 2", "alpha -1", "dist") and size == 30.0, error
        return
    rounding = 64 * np.finfo(float).eps * (1 + max(np.square(student).sum(), np.square(teacher).sum()))
    assert least(name, student, teacher) - rounding <= loss <= MOST.get(name, np.inf) + rounding


@each(SHIFTED)
@given(seed=seeds, shift=st.floats(-50, 50))
def test_a_constant_added_to_all_logits_of_a_sample_changes_nothing(name: str, seed: int, shift: float) -> None:
    student, teacher = LOSSES[name].draw(np.random.default_rng(seed), 5, 4)
    by = shift * np.arange(5)[:, None]
    loss, (gradient,) = LOSSES[name](student, teacher)
    shifted, (moved,) = LOSSES[name](student + by, teacher - by)
    size = np.finfo(float).eps * (20 + 4 * abs(shift)) * 1e3
    assert shifted == pytest.approx(loss, rel=size, abs=size)
    np.testing.assert_allclose(moved, gradient, rtol=0, atol=size * (1 + np.abs(gradient).max()))
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=size, err_msg="so the gradient sums to 0")


@each(SCALED)
@given(seed=seeds, powers=st.tuples(*[st.integers(-30, 30)] * 2))
def test_the_scale_of_the_features_changes_nothing(name: str, seed: int, powers: tuple[int, int]) -> None:
    """By powers of two, so that nothing is rounded but where a length is taken in other units."""
    student, teacher = LOSSES[name].draw(np.random.default_rng(seed))
    a, b = (2.0**power for power in powers)
    loss, (gradient,) = LOSSES[name](student, teacher)
    scaled, (smaller,) = LOSSES[name](a * student, b * teacher)
    assert scaled == pytest.approx(loss, rel=1e-12, abs=1e-15)
    np.testing.assert_allclose(a * smaller, gradient, rtol=1e-9, atol=1e-12)
    sides = (gradient * student).sum(axis=tuple(range(1, gradient.ndim))).sum()
    assert abs(sides) <= 1e-12 * (1 + np.abs(gradient).sum()), "so the gradient is at right angles to the features"


@each(ROTATED)
@given(seed=seeds)
def test_rotating_the_features_rotates_the_gradient(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    student, teacher = LOSSES[name].draw(rng)
    R, R_t = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (student.shape[1], teacher.shape[1]))
    loss, (gradient,) = LOSSES[name](student, teacher)
    turned, (moved,) = LOSSES[name](student @ R, teacher @ R_t)
    assert turned == pytest.approx(loss, rel=1e-9, abs=1e-13)
    np.testing.assert_allclose(moved, gradient @ R, rtol=0, atol=1e-9 * np.abs(gradient).max())


@each({"rkd distance", "rkd angle"})
@given(seed=seeds)
def test_shifting_all_features_changes_nothing(name: str, seed: int) -> None:
    student, teacher = LOSSES[name].draw(np.random.default_rng(seed))
    loss, (gradient,) = LOSSES[name](student, teacher)
    assert LOSSES[name](student + 3.0, teacher - 5.0)[0] == pytest.approx(loss, rel=1e-10)
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-12)


@each(LOSSES.keys() - {"dkd, by sample"})  # whose weights are those of the samples
@given(seed=seeds)
def test_the_order_of_the_samples_does_not_matter(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    student, teacher, *params = LOSSES[name].draw(rng, batch=8, width=4)
    order = rng.permutation(4)  # of every second sample: labels are positions modulo 4 classes
    order = np.concatenate([order * 0 + np.arange(4), np.arange(4) + 4])
    order[[0, 4]] = order[[4, 0]]
    loss, gradients = LOSSES[name](student, teacher, *params)
    moved, others = LOSSES[name](student[order], teacher[order], *params)
    assert moved == pytest.approx(loss, rel=1e-10, abs=1e-14)
    np.testing.assert_allclose(others[0], gradients[0][order], rtol=1e-7, atol=1e-12)
    for a, b in zip(gradients[1:], others[1:]):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10)


@each(LOGITS | {"pkd", "attention transfer"} | RELATIONS | {n for n in LOSSES if n.startswith("neuron")})
@given(seed=seeds)
def test_the_order_of_classes_and_features_does_not_matter(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    loss = LOSSES[name]
    student, teacher = loss.draw(rng)
    order = rng.permutation(student.shape[1])
    if loss.labelled:  # of the classes that are no sample's label
        student, teacher = student[:2], teacher[:2]
        order = np.concatenate([[0, 1], 2 + rng.permutation(student.shape[1] - 2)])
    same_order = order if student.shape == teacher.shape else slice(None)
    value, (gradient,) = loss(student, teacher)
    moved, (other,) = loss(student[:, order], teacher[:, same_order])
    assert moved == pytest.approx(value, rel=1e-10, abs=1e-14)
    np.testing.assert_allclose(other, gradient[:, order], rtol=1e-7, atol=1e-12)


@each(LOSSES)
@given(seed=seeds)
def test_float32_stays_float32_and_the_arguments_as_they_were(name: str, seed: int) -> None:
    arrays = LOSSES[name].draw(np.random.default_rng(seed))
    narrow = [a.astype(np.float32) for a in arrays]
    before = [a.copy() for a in narrow]
    for a in narrow:
        a.flags.writeable = False
    loss, gradients = LOSSES[name](*narrow)
    wide, exact = LOSSES[name](*(a.astype(np.float64) for a in narrow))
    assert isinstance(loss, float) and all(g.dtype == np.float32 for g in gradients)
    assert all(g.dtype == np.float64 for g in exact)
    assert [g.shape for g in gradients] == [a.shape for i, a in enumerate(arrays) if i != 1]
    for a, b in zip(narrow, before):
        np.testing.assert_array_equal(a, b)
    half = float(np.sqrt(np.finfo(np.float32).eps))  # half of the digits
    assert loss == pytest.approx(wide, rel=half, abs=half)
    if away_from_kinks(name, arrays):
        for a, b in zip(gradients, exact):
            assert np.abs(a - b).max() <= half * (1 + np.abs(b).max())


@each(LOSSES)
def test_settings_that_are_numbers_of_numpy(name: str) -> None:
    arrays = [a.astype(np.float32) for a in LOSSES[name].draw(np.random.default_rng(0))]
    wide = {k: np.float64(v) if isinstance(v, float) else v for k, v in LOSSES[name].settings.items()}
    loss, gradients = LOSSES[name]._replace(settings=wide)(*arrays)
    expected, same = LOSSES[name](*arrays)
    assert loss == expected
    for ours, theirs in zip(gradients, same):
        assert ours.dtype == np.float32 and np.array_equal(ours, theirs)


@each(LOSSES.keys() - {name for name, loss in LOSSES.items() if loss.teacherless})
def test_a_teacher_of_another_dtype(name: str) -> None:
    student, teacher, *params = (a.astype(np.float32) for a in LOSSES[name].draw(np.random.default_rng(0)))
    loss, gradients = LOSSES[name](student, teacher.astype(np.float64), *params)
    expected, exact = LOSSES[name](student, teacher, *params)
    assert loss == expected and all(np.array_equal(a, b) for a, b in zip(gradients, exact))
    assert all(g.dtype == np.float32 for g in gradients)


@each(LOSSES)
@pytest.mark.parametrize("shapes", [((0, 4), (0, 4)), ((5, 0), (5, 0)), ((5,), (5,)), ((2, 3, 4, 5), (2, 3, 4, 5))])
def test_empty_and_misshapen_batches_are_refused(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    params = LOSSES[name].draw(np.random.default_rng(0))[2:]
    with pytest.raises(ValueError, match=r"\((0, 4|5, 0|5,|2, 3, 4, 5)\)") as error:
        LOSSES[name](*(np.zeros(shape) for shape in shapes), *params)
    assert "\n" not in str(error.value)


@each(LOSSES.keys() - {name for name, loss in LOSSES.items() if loss.teacherless})
def test_batches_of_different_sizes_are_refused(name: str) -> None:
    student, teacher, *params = LOSSES[name].draw(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"\(5, 4\) .*\(4, "):
        LOSSES[name](student, teacher[:4], *params)


@each(LOSSES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_name(name: str, value: float) -> None:
    arrays = LOSSES[name].draw(np.random.default_rng(0))
    for i, array in enumerate(arrays):
        if i == 1 and LOSSES[name].teacherless:
            continue
        broken = array.copy()
        broken.flat[-1] = value
        whose = "student|teacher|logits" if i < 2 else "W|b|alpha|b_"
        with pytest.raises(ValueError, match=rf"^({whose})\S* .*hold {value}") as error:
            LOSSES[name](*arrays[:i], broken, *arrays[i + 1 :])
        assert "\n" not in str(error.value)


@each(LOSSES)
def test_whole_numbers_are_no_features(name: str) -> None:
    student, teacher, *params = LOSSES[name].draw(np.random.default_rng(0))
    with pytest.raises(ValueError, match="floats, not int|is int"):
        LOSSES[name](student.astype(int), teacher, *params)


@each(REGRESSED)
def test_arrays_of_the_wrong_shape_or_dtype_are_refused(name: str) -> None:
    arrays = LOSSES[name].draw(np.random.default_rng(0))
    for i in range(2, len(arrays)):
        wider = np.concatenate([arrays[i], arrays[i]], axis=-1)
        for wrong in (wider, arrays[i].astype(np.float32)):
            with pytest.raises(
                ValueError, match=r"is float64 of shape \(.*, not empty, not float(32|64) of shape|one batch"
            ) as error:
                LOSSES[name](*arrays[:i], wrong, *arrays[i + 1 :])
            assert "\n" not in str(error.value)


@each(LOSSES)
@settings(max_examples=15)
@given(size=st.sampled_from([1e4, 1e19, 1e30, 1e38]), dtype=st.sampled_from([np.float32, np.float64]), seed=seeds)
def test_extreme_values_give_finite_results_or_one_clear_error(name: str, size: float, dtype: type, seed: int) -> None:
    arrays = [a.astype(dtype) for a in LOSSES[name].draw(np.random.default_rng(seed))]
    arrays[:2] = [a * dtype(size / 10) for a in arrays[:2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            loss, gradients = LOSSES[name](*arrays)
        except ValueError as error:
            assert "\n" not in str(error)
            assert size > 1e4 or name in ("alpha 2", "alpha -1", "dist"), "1e4 is what logits may well reach"
        else:
            assert np.isfinite(loss) and all(np.isfinite(g).all() for g in gradients)


@each(LOSSES)
def test_one_class_one_feature(name: str) -> None:
    """What is certain anyway costs nothing, or the error says why it cannot be told."""
    refused = {"dkd": "at least 2 classes, not 1", "dkd, by sample": "at least 2 classes, not 1", "nkd": "not 1"}
    refused |= {"dist": "constant and has no correlation", "logit standardization": "they have no spread"}
    refused |= {"pkt": "not finite", "pkt, code": "not finite"}  # in one dimension neighbours are alike or opposite
    arrays = LOSSES[name].draw(np.random.default_rng(0), 4, 1, 1)
    if name in refused:
        with pytest.raises(ValueError, match=refused[name]):
            LOSSES[name](*arrays)
        return
    loss, gradients = LOSSES[name](*arrays)
    assert np.isfinite(loss) and all(np.isfinite(g).all() for g in gradients)
    if name in LOGITS - {"logit regression", "dist, code"}:
        assert abs(loss) <= np.finfo(float).eps and not gradients[0].any()


@each(LOSSES)
def test_a_batch_of_one(name: str) -> None:
    arrays = LOSSES[name].draw(np.random.default_rng(0), 1, 4, 3)
    if name in PAIRS:
        with pytest.raises(ValueError, match=r"at least 2 samples, not 1: \(1, "):
            LOSSES[name](*arrays)
    elif name == "dist":
        with pytest.raises(ValueError, match="column 0 of the probabilities is constant"):
            LOSSES[name](*arrays)
    else:
        loss, gradients = LOSSES[name](*arrays)
        assert np.isfinite(loss) and all(np.isfinite(g).all() for g in gradients)


@each({n for n, loss in LOSSES.items() if loss.features} - {"activation boundaries", "margin relu", "vid"})
def test_silent_features_give_finite_results_or_one_clear_error(name: str) -> None:
    """As of a ReLU that died, or of a sample that no unit responds to: rows and columns of zeros, or all zeros."""
    for rows, columns in [(slice(0, 1), slice(None)), (slice(None), slice(0, 1)), (slice(None), slice(None))]:
        student, teacher, *params = LOSSES[name].draw(np.random.default_rng(0))
        student[rows, columns] = 0
        teacher[rows, columns] = 0
        try:
            loss, gradients = LOSSES[name](student, teacher, *params)
        except ValueError as error:
            assert name == "rkd distance" and not student.any(), error
        else:
            assert np.isfinite(loss) and all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize(
    "labels", [np.array([0, 4, 1]), np.array([-1, 0, 1]), np.array([0.0, 1.0, 2.0]), np.array([0, 1])]
)
@each(name for name, loss in LOSSES.items() if loss.labelled and name != "dkd, by sample")
def test_labels_that_are_none_are_refused(name: str, labels: np.ndarray) -> None:
    student, teacher = LOSSES[name].draw(np.random.default_rng(0), 3, 4)
    both = [student] if LOSSES[name].teacherless else [student, teacher]
    with pytest.raises(ValueError, match="labels"):
        LOSSES[name].function(*both, labels, **LOSSES[name].settings)


def test_a_loss_that_leaves_its_dtype_says_where() -> None:
    s = np.full((2, 3), 3e38, np.float32)
    with pytest.raises(
        ValueError, match=r"^hint or its gradient is not finite in float32 .* \(2, 3\), .* up to 3e\+38"
    ):
        hint(s, -s, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))


@each(LOSSES)
def test_half_precision_is_the_losses_of_its_values(name: str) -> None:
    """Many samples of large features: sums of squares, and numbers of pairs and triples, that float16 cannot tell."""
    arrays = LOSSES[name].draw(np.random.default_rng(0), 50, 8, 7)
    size = 1 if name in ("alpha 2", "alpha -1") else 6  # powers of ratios leave any dtype
    half = [(a * size if i < 2 else a).astype(np.float16) if a.dtype.kind == "f" else a for i, a in enumerate(arrays)]
    loss, gradients = LOSSES[name](*(a.astype(np.float64) if a.dtype.kind == "f" else a for a in half))
    found, at_half = LOSSES[name](*half)
    assert found == pytest.approx(loss, rel=1e-3, abs=1e-5)
    for gradient, same in zip(gradients, at_half):
        assert same.dtype == np.float16
        np.testing.assert_allclose(same, gradient, rtol=2e-3, atol=2e-3 * np.abs(gradient).max() + 1e-7)


def test_distances_whose_sum_leaves_single_precision_still_have_a_mean() -> None:
    student, teacher = (a.astype(np.float32) for a in LOSSES["rkd distance"].draw(np.random.default_rng(0), 40, 8, 7))
    (loss, (gradient,)), scale = LOSSES["rkd distance"](student, teacher), np.float32(1e36)
    found, (dstudent,) = LOSSES["rkd distance"](student * scale, teacher * scale)
    assert found == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(dstudent * scale, gradient, rtol=0, atol=1e-5 * np.abs(gradient).max())
