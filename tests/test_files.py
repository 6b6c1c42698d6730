"""Files: every network bit for bit, the size law, and what a file has no word for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncomp.activations import LeakyReLU, ReLU
from nncomp.files import load, save, to_bytes
from nncomp.files.kinds import CHOICES
from nncomp.formats import (
    PerRow,
    Uniform,
    half_range,
    largest_code,
    lowest_code,
    nearest_away,
    nearest_even,
)  # fmt: skip
from nncomp.layer import Linear
from nncomp.measure import network_cost
from nncomp.network import MLP
from nncomp.quantize import Dynamic, Percentile, minmax
from nncomp.transforms import FakeQuantize, SoftMovement
from nncomp.weights import Dense, Latent
from tests.strategies.networks import networks
from tests.strategies.weights import each_form, seeds
from tests.test_activations import EACH
from tests.test_weights import arrays_of

in_a_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def same(a: object, b: object) -> bool:
    """Equal in every field, dtype and bit."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__)
    return a == b


@in_a_folder
@given(st.sampled_from([np.float32, np.float64]).flatmap(networks))
def test_networks_round_trip_and_keep_the_size_law(tmp_path: Path, network: MLP) -> None:
    size = save(tmp_path / "network", network)
    again = load(tmp_path / "network")
    assert same(network, again)
    assert size == (tmp_path / "network").stat().st_size == len(to_bytes(network))
    arrays = arrays_of(network)
    assert network_cost(network).stored == sum(a.nbytes for a in arrays)
    assert size <= sum(a.nbytes for a in arrays) + 4096 + 256 * len(arrays)


@in_a_folder
@each_form
@given(data=st.data(), seed=seeds)
def test_every_form_round_trips(tmp_path: Path, form, data: st.DataObject, seed: int) -> None:  # type: ignore[no-untyped-def]
    weight = data.draw(form())
    bias = np.random.default_rng(seed).standard_normal(weight.shape[0]).astype(weight.dtype)
    network = MLP((Linear(weight, bias),))
    save(tmp_path / "network", network)
    assert same(network, load(tmp_path / "network"))


@pytest.mark.parametrize("activation", EACH, ids=repr)
def test_every_activation_round_trips(tmp_path: Path, activation) -> None:  # type: ignore[no-untyped-def]
    network = MLP.init([3, 4, 2], activation)
    save(tmp_path / "network", network)
    assert load(tmp_path / "network").layers[0].activation == activation


@pytest.mark.parametrize("view", [lambda w: w.T, lambda w: w[::-1], lambda w: w[:, ::2], np.asfortranarray])
def test_arrays_that_are_not_contiguous_survive(tmp_path: Path, view) -> None:  # type: ignore[no-untyped-def]
    w = view(np.arange(36, dtype=np.float32).reshape(6, 6))
    network = MLP((Linear(Dense(w), np.arange(2 * len(w), dtype=np.float32)[::2]),))
    save(tmp_path / "network", network)
    np.testing.assert_array_equal(load(tmp_path / "network").layers[0].weight.dense(), w)


FORMATS = [
    Uniform(rounding=rounding, scale_rule=scale_rule)
    for rounding in (nearest_even, nearest_away)
    for scale_rule in (largest_code, half_range, lowest_code)
]


@pytest.mark.parametrize("format", FORMATS, ids=repr)
@pytest.mark.parametrize("ranges", [minmax, Percentile(99.0)], ids=["minmax", "percentile"])
def test_functions_and_settings_round_trip(tmp_path: Path, format: Uniform, ranges) -> None:  # type: ignore[no-untyped-def]
    w = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    latent = Latent.of(FakeQuantize(format, ranges=ranges), w)
    for weight in (latent, latent.store()):
        network = MLP((Linear(weight, np.zeros(3, np.float32), input=Dynamic(format, PerRow(), ranges)),))
        save(tmp_path / "network", network)
        again = load(tmp_path / "network")
        assert same(network, again) and again.fingerprint() == network.fingerprint()


def test_a_numpy_scalar_is_the_number_that_it_holds(tmp_path: Path) -> None:
    plain, scalar = (MLP.init([2, 2, 2], LeakyReLU(slope)) for slope in (0.25, np.float64(0.25)))
    assert to_bytes(plain) == to_bytes(scalar) and plain.fingerprint() == scalar.fingerprint()


def test_a_whole_number_stays_one_where_the_default_is_a_float_as_large(tmp_path: Path) -> None:
    for strength in (1, 1.0, np.float64(1.0)):
        network = MLP(
            (Linear(Latent.of(SoftMovement(strength), np.eye(2, dtype=np.float32)), np.zeros(2, np.float32)),)
        )
        save(tmp_path / "network", network)
        assert load(tmp_path / "network").fingerprint() == network.fingerprint()


def test_what_a_file_has_no_word_for_is_refused_before_writing(tmp_path: Path) -> None:
    class Mine(ReLU):
        pass

    with pytest.raises(TypeError, match="no word for layers.0.activation = "):
        save(tmp_path / "network", MLP.init([2, 2, 2], Mine()))
    assert not (tmp_path / "network").exists()


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


def test_every_word_is_its_class_and_names_a_field() -> None:
    classes = {cls.__name__: cls for some in CHOICES.values() for cls in some if isinstance(cls, type)}
    for place in CHOICES:
        kind, _, field = place.partition(".")
        assert not field or field in classes[kind].__dataclass_fields__, place
