"""Files: every network bit for bit, the size law, and one line for whatever is not a network."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncomp.activations import ReLU
from nncomp.files import FileError, load, save, to_bytes
from nncomp.files.kinds import CLASSES
from nncomp.layer import Linear
from nncomp.measure import network_cost
from nncomp.network import MLP
from nncomp.weights import Dense
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


def test_what_a_file_has_no_word_for_is_refused_before_writing(tmp_path: Path) -> None:
    class Mine(ReLU):
        pass

    with pytest.raises(TypeError, match="no word for layers.0.activation = "):
        save(tmp_path / "network", MLP.init([2, 2, 2], Mine()))
    assert not (tmp_path / "network").exists()


def content(header: object, **arrays: np.ndarray) -> bytes:
    return safetensors.numpy.save(arrays, {"nncomp": header if isinstance(header, str) else json.dumps(header)})


def broken(change: Callable[[dict], object]) -> bytes:
    """A good file whose header was tampered with."""
    data = to_bytes(MLP.init([3, 2]))
    length = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["nncomp"])
    change(header)
    return content(header, **safetensors.numpy.load(data))


GOOD = to_bytes(MLP.init([3, 2]))
HOSTILE = {
    "empty": (b"", "HeaderTooSmall|header too small"),
    "text": (b"not a network at all", "header|Header"),
    "truncated": (GOOD[:-1], "."),
    "longer": (GOOD + b"\0", "."),
    "other safetensors": (safetensors.numpy.save({"a": np.zeros(3)}), "no entry 'nncomp'"),
    "not JSON": (content("{"), "Expecting"),
    "not a table": (content([1]), "."),
    "no version": (content({"network": {}}), "no 'version'"),
    "newer": (broken(lambda h: h.update(version=2)), "version 2, and this nncomp reads version 1"),
    "unknown form": (broken(lambda h: h["network"]["layers"][0]["weight"].update({"is": "Eval"})), "no 'Eval'"),
    "unknown field": (broken(lambda h: h["network"]["layers"][0].update(secret=1)), "secret"),
    "missing field": (broken(lambda h: h["network"]["layers"][0].pop("bias")), "bias"),
    "missing array": (broken(lambda h: h["network"]["layers"][0]["bias"].update(array="x")), "no 'x'"),
    "wrong kind": (broken(lambda h: h.update(network={"is": "ReLU"})), "it holds a ReLU"),
    "wrong shape": (broken(lambda h: h["network"]["layers"][0]["bias"].update(array="layers.0.weight.w")), r"\(2, 3\)"),
    "list for a layer": (broken(lambda h: h["network"].update(layers=[[]])), "."),
    "deep nesting": (content('{"version":1,"network":' + "[" * 100_000 + "]" * 100_000 + "}"), "."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_a_network_gets_one_line(tmp_path: Path, name: str) -> None:
    data, message = HOSTILE[name]
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(FileError, match=message) as error:
        load(tmp_path / "file")
    assert "\n" not in str(error.value) and str(error.value).startswith(f"{tmp_path / 'file'} is not a network file: ")


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


def test_every_word_is_its_class() -> None:
    assert all(cls.__name__ == name for name, cls in CLASSES.items())
    assert replace(MLP.init([2, 2])).fingerprint()
