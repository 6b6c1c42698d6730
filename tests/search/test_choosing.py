"""Each layer its own choice: against all combinations, against one choice for all, and against what is measured."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.data import Data
from nncomp.formats import Uniform
from nncomp.measure import accuracy, network_cost, outputs, score
from nncomp.network import MLP
from nncomp.prune import keep_largest
from nncomp.search import choose, choosing, layer_sensitivity
from nncomp.search.sensitivity import Measured
from nncomp.steps import FineTune, Prune, Quantize
from tests.strategies.data import blobs

DATA = Data(blobs(400, 1), blobs(300, 2))
NETWORK = FineTune(10, batch=20)(MLP.init([12, 16, 8, 4], seed=3), DATA)
CHOICES = [(), *(Prune(s, keep=keep_largest) for s in (0.5, 0.8)), *(Quantize(Uniform(b), inputs=None) for b in (2, 4))]
FOUND = layer_sensitivity(NETWORK, DATA, CHOICES, samples=400)
EVERY = list(product(range(len(CHOICES)), repeat=3))


def total(table: np.ndarray, chosen) -> float:  # type: ignore[no-untyped-def]
    return sum(table[i, k] for i, k in enumerate(chosen))


def loss(network: MLP) -> float:
    logits = outputs(network, DATA.train.x).astype(np.float64)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[range(400), DATA.train.y]))


@settings(max_examples=20)
@given(st.floats(0, 1), st.booleans())
def test_within_a_budget_it_is_the_best_of_all_or_one_for_all(part: float, of_bytes: bool) -> None:
    sizes = FOUND.bytes if of_bytes else FOUND.multiply_adds
    low, high = sizes.min(axis=1).sum(), sizes.max(axis=1).sum()
    budget = float(low + part * (high - low))
    found = choose(NETWORK, DATA, CHOICES, **{"max_bytes" if of_bytes else "max_multiply_adds": budget}, samples=400)
    cost = network_cost(found.network)
    assert (cost.stored if of_bytes else cost.multiply_adds) <= budget
    fitting = [chosen for chosen in EVERY if total(sizes, chosen) <= budget]
    least = min(total(FOUND.rise, chosen) for chosen in fitting)
    uniform = [chosen for chosen in fitting if len(set(chosen)) == 1]
    chosen = tuple(CHOICES.index(choice) for choice in found.choice)
    held = [[one for one in fitting if one[i] == k] for i in range(len(sizes)) for k in range(len(CHOICES))]
    leasts = [min(total(FOUND.rise, one) for one in some) for some in held if some]
    assert any(abs(total(FOUND.rise, chosen) - one) <= 1e-12 for one in leasts) or chosen in uniform
    for some in filter(None, held):
        best, *others = sorted(some, key=lambda one: total(FOUND.rise, one))
        if not others or total(FOUND.rise, others[0]) > total(FOUND.rise, best) + 1e-12:
            assert found.loss <= loss(FOUND.taken(best)) + 1e-9, "as measured of the whole"
    assert least <= min((total(FOUND.rise, one) for one in uniform), default=np.inf)
    assert all(found.loss <= loss(FOUND.taken(one)) + 1e-9 for one in uniform), "as measured, too"
    assert found.predicted == pytest.approx(FOUND.before.loss + total(FOUND.rise, chosen))
    assert found.loss == pytest.approx(loss(found.network), rel=1e-9)
    assert found.after.score == accuracy(found.network, DATA.validation)
    again = choose(NETWORK, DATA, FOUND, **{"max_bytes" if of_bytes else "max_multiply_adds": budget})
    assert again.network.fingerprint() == found.network.fingerprint() and again.loss == found.loss


def test_where_the_sum_misleads_what_is_measured_decides() -> None:
    """Of each layer held to each choice, the least sum: whichever is best as a whole is the one."""
    budget = float(np.mean([total(FOUND.bytes, chosen) for chosen in EVERY]))
    fitting = [chosen for chosen in EVERY if total(FOUND.bytes, chosen) <= budget]
    places = product(range(len(FOUND.bytes)), range(len(CHOICES)))
    held = filter(None, ([one for one in fitting if one[i] == k] for i, k in places))
    targets = {min(some, key=lambda one: total(FOUND.rise, one)) for some in held}
    assert len(targets) > 3
    for target in targets:
        wanted = FOUND.taken(target).fingerprint()
        best = choosing._best(FOUND, FOUND.bytes, budget, lambda n: float(n.fingerprint() != wanted))  # noqa: B023
        assert FOUND.taken(best).fingerprint() == wanted


@pytest.mark.parametrize("max_drop", [0.0, 0.01, 0.03, 0.2, 1.0])
def test_within_a_drop_it_is_the_smallest_that_holds(max_drop: float) -> None:
    found = choose(NETWORK, DATA, CHOICES, max_drop=max_drop, samples=400)
    before = score(NETWORK, DATA.validation)
    assert found.before.score == before
    assert score(found.network, DATA.validation) == found.after.score >= before - max_drop - 1e-12
    # The next smaller of the exact allocations, by brute force, does not hold.
    size = network_cost(found.network).stored
    smaller = [(total(FOUND.rise, c), total(FOUND.bytes, c), c) for c in EVERY if total(FOUND.bytes, c) < size]
    if smaller:
        assert score(FOUND.taken(min(smaller)[2]), DATA.validation) < before - max_drop
    else:
        assert max_drop == 1.0


def test_where_no_allocation_holds_one_choice_for_all_may() -> None:
    holds = [FOUND.taken([k] * 3) for k in (0, 2)]

    def measure(network: MLP) -> Measured:
        same = any(all(a is b for a, b in zip(network.layers, one.layers)) for one in holds)
        return Measured(0.0, float(same))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "_allocated", lambda *_: [0, 1, 2])
        assert choosing._smallest(FOUND, 1.0, measure)[0] == (2, 2, 2)
    with pytest.raises(ValueError, match=r"no choice keeps a score of 0\.\d{4}; the best has 0\.\d{4}"):
        choose(NETWORK, DATA, CHOICES[2:3], max_drop=0.0, samples=400)


@pytest.mark.parametrize(
    "limits", [{}, {"max_drop": 0.1, "max_bytes": 9}, {"max_drop": -1.0}, {"max_bytes": float("nan")}]
)
def test_one_limit_is_given(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one of max_drop, max_bytes, max_multiply_adds is a number of at least 0"):
        choose(NETWORK, DATA, CHOICES, **limits)
    for limit in ("0.1", True):
        with pytest.raises(ValueError, match="is a number of at least 0"):
            choose(NETWORK, DATA, CHOICES, max_drop=limit)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the smallest choices take .*, more than 3"):
        choose(NETWORK, DATA, CHOICES, max_bytes=3)


def test_a_sensitivity_is_of_one_network_and_its_data() -> None:
    assert choose(NETWORK, DATA, FOUND, max_bytes=np.int64(3000)).network.sizes == NETWORK.sizes
    other = MLP.init(NETWORK.sizes, seed=9)
    for network, data in ((other, DATA), (NETWORK, replace(DATA, validation=DATA.train))):
        with pytest.raises(ValueError, match="that of another network, or was measured on other data"):
            choose(network, data, FOUND, max_bytes=3000)
