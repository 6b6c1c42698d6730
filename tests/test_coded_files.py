"""Coded files: the same networks bit for bit, in what their entropy takes, and read without trust as any file."""

import builtins
import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.coding import Decoder, Encoder
from nncomp.files import FileError, Lineage, entropy_bytes, from_bytes, load, read_lineage, save, to_bytes
from nncomp.files.condensed import condense, expand
from nncomp.files.container import LARGEST_HEADER
from nncomp.files.tree import from_tree, to_tree
from nncomp.layer import Linear
from nncomp.network import MLP
from tests.strategies.coded import SIDE, codable, mutated_coded, parts_of, whole, with_weight
from tests.strategies.hostile import good_networks, refused
from tests.strategies.networks import networks
from tests.strategies.weights import each_form, seeds
from tests.test_coding import least
from tests.test_files import same
from tests.test_weights import arrays_of

NETWORKS = [network for network, _ in codable()]
PACKED, SHARED, SPARSE, MASKED = NETWORKS[:4]


@given(st.sampled_from([np.float32, np.float64]).flatmap(networks))
def test_coded_networks_come_back_and_are_never_larger(network: MLP) -> None:
    content = to_bytes(network, coded=True)
    assert same(network, from_bytes(content)) and len(content) <= len(to_bytes(network))
    assert content == to_bytes(from_bytes(content), coded=True)


@each_form
@given(data=st.data(), seed=seeds)
def test_every_form_comes_back(form, data: st.DataObject, seed: int) -> None:  # type: ignore[no-untyped-def]
    weight = data.draw(form())
    bias = np.random.default_rng(seed).standard_normal(weight.shape[0]).astype(weight.dtype)
    network, arrays, encoder = MLP((Linear(weight, bias),)), {}, Encoder()  # coded whether that pays or not
    tree = condense(to_tree(network, arrays), arrays, lambda values, _, beside: encoder.offer(values, 2**60, beside))
    again = from_tree(expand(json.loads(json.dumps(tree)), arrays, Decoder(encoder.content())), arrays)
    assert same(network, again) and again.fingerprint() == network.fingerprint()
    assert same(network, from_bytes(to_bytes(network, coded=True)))


@pytest.mark.parametrize("index", range(len(NETWORKS)))
def test_files_take_one_percent_more_than_the_entropy_and_their_tables(index: int) -> None:
    network, integers = codable()[index]
    floats = sum(a.nbytes for a in arrays_of(network) if a.dtype.kind == "f")
    entropy = sum(least(a) for a in integers)
    assert abs(entropy_bytes(network) - floats - entropy) < 1e-6
    content = to_bytes(network, coded=True)
    assert same(network, from_bytes(content))
    told, arrays = parts_of(content)
    assert sum(a.nbytes for name, a in arrays.items() if name != "coded") == floats, "no integers are left as they are"
    tables = sum(7 + 2 * np.unique(a).size + 2 for a in integers)
    assert arrays["coded"].size <= 1.01 * entropy + tables + 8 + 8  # the head, and the coder's state of 64 bits
    described = len(zlib.compress(str(told).encode())) + 128 * len(arrays)
    assert len(content) - sum(a.nbytes for a in arrays.values()) < described + 256


def test_places_in_wider_integers_than_they_need_come_back_in_these() -> None:
    plain = SPARSE.layers[0].weight
    wide = replace(plain, columns=plain.columns.astype(np.uint32), row_start=plain.row_start.astype(np.uint64))
    network = MLP((replace(SPARSE.layers[0], weight=wide),))
    content = to_bytes(network, coded=True)
    assert same(network, from_bytes(content)) and "gaps" not in str(parts_of(content)[0])


def test_an_array_that_coding_makes_larger_counts_and_stays_as_it_is() -> None:
    network = next(n for n in good_networks() if "Quantized" in str(type(n.layers[0].weight)))
    assert entropy_bytes(network) <= sum(a.nbytes for a in arrays_of(network))
    assert to_bytes(MLP.init([30, 20]), coded=True) <= to_bytes(MLP.init([30, 20]))
    assert entropy_bytes(MLP.init([30, 20])) == 4 * (600 + 20)


def test_a_coded_file_keeps_its_lineage(tmp_path: Path) -> None:
    lineage = Lineage("steps = []", 0, 3, "digits", "ab12", metrics={"accuracy": 0.9})
    size = save(tmp_path / "coded", SHARED, lineage, coded=True)
    assert size == (tmp_path / "coded").stat().st_size < save(tmp_path / "plain", SHARED, lineage) * 0.6
    assert read_lineage(tmp_path / "coded") == lineage and same(load(tmp_path / "coded"), SHARED)


def test_without_constriction_plain_files_work_and_coded_ones_say_what_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "coded", SHARED, coded=True)
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "constriction":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "constriction", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    assert same(from_bytes(to_bytes(SHARED)), SHARED) and read_lineage(tmp_path / "coded") is None
    for work in (lambda: load(tmp_path / "coded"), lambda: to_bytes(SHARED, coded=True)):
        with pytest.raises(ImportError, match="needs constriction, nncomp's extra coding"):
            work()


def described(deflated: bytes) -> bytes:
    return whole(deflated, parts_of(to_bytes(SHARED, coded=True))[1])


def gapped(**changes: Any) -> bytes:
    return with_weight(lambda weight: weight["columns"].update(changes), SPARSE)


def mask(**changes: Any) -> bytes:
    return with_weight(lambda weight: weight["transform"]["mask"].update(changes), MASKED)


def also(name: str, array: Any) -> bytes:
    told, arrays = parts_of(to_bytes(SPARSE, coded=True))
    return whole(told, arrays | {name: np.asarray(array)})


KEPT = SPARSE.layers[0].weight.columns.size
HOSTILE = {
    "a description that is not deflated": (described(b"{}"), "description is damaged"),
    "half a description": (described(zlib.compress(b"{}" * 99)[:-5]), "does not end where it should"),
    "a description and more": (described(zlib.compress(b"{}") + b"x"), "does not end where it should"),
    "a description that is too long": (described(zlib.compress(b" " * (LARGEST_HEADER + 1))), "within 1,048,576 bytes"),
    "a description nested deeply": (described(zlib.compress(b"[" * 100_000 + b"]" * 100_000)), "nested too deeply"),
    "a network nested deeply": (
        described(zlib.compress(b'{"version":1,"network":%s}' % (b"[" * 700 + b"]" * 700))),
        "nested too deeply|network is MLP",
    ),
    "a description that is no text": (described(zlib.compress(b"\xff")), "utf-8"),
    "coded values in floats": (also("coded", np.ones(9, np.float32)), "at least 8 bytes, not float32"),
    "no coded values": (also("coded", np.zeros(0, np.uint8)), "at least 8 bytes"),
    "other coded values": (also("coded", np.zeros(80, np.uint8)), "no table|frequencies"),
    "an array of a coded one's name": (also("coded.3", [1]), "holds an array 'coded.3' beside coded ones"),
    "an array nobody uses": (also("x", [1]), "nothing in it refers to the array 'x'"),
    "an unknown dtype": (mask(coded="F32"), "tables are left over"),
    "a dtype that is a list": (mask(coded=["U8"]), "tables are left over"),
    "another dtype": (mask(coded="U8"), "mask"),
    "a negative side": (mask(shape=[-1, SIDE]), "tables are left over"),
    "nine dimensions": (mask(shape=[1] * 9), "impossible shape"),
    "another shape": (mask(shape=[SIDE**2]), "mask"),
    "more values than bytes hold": (mask(shape=[2**40, 2**40]), "more than their bytes hold"),
    "a value too few": (mask(shape=[SIDE, SIDE - 1]), "check sum"),
    "no values": (mask(shape=[0]), "are none or more"),
    "gaps out of the matrix": (gapped(rows=1), "gaps lead to place"),
    "gaps in a matrix too large": (with_weight(lambda w: w.update(inputs=2**31), SPARSE), "1 to 2.31 places"),
    "a gap too few": (gapped(kept=KEPT - 1), "check sum|gaps lead to"),
    "gaps without end": (gapped(kept=2**62), "more than their bytes hold"),
    "rows without end": (gapped(rows=2**24), "more than their bytes hold"),
    "no rows": (gapped(rows=0), "of 0 x 120"),
    "half a row": (gapped(rows=1.5), "tables are left over"),
    "gaps and row starts": (with_weight(lambda w: w.update(row_start={"array": "x"}), SPARSE), "tables are left over"),
    "coded values nobody takes": (with_weight(lambda w: w.update(columns=1, row_start=1), SPARSE), "left over"),
    "packed codes of 0 bits": (with_weight(lambda w: w["indices"].update(bits=0), PACKED), "1 to 16 bits, not 0"),
    "packed codes of 40 bits": (with_weight(lambda w: w["indices"].update(bits=40), PACKED), "1 to 16 bits, not 40"),
    "packed codes of 2^40": (with_weight(lambda w: w["indices"].update(shape=[2**20, 2**20]), PACKED), "bytes hold"),
    "packed codes of 2 bits": (with_weight(lambda w: w["indices"].update(bits=2), PACKED), "of 4 bits"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_a_coded_network_gets_one_line(name: str) -> None:
    content, message = HOSTILE[name]
    with pytest.raises(FileError, match=message) as error:
        from_bytes(content)
    assert (
        str(error.value).startswith("not a network: ") and "\n" not in str(error.value) and len(str(error.value)) < 500
    )


def test_mutated_coded_files_are_networks_or_refused_at_once_in_little_memory() -> None:
    good = [to_bytes(network, coded=True) for network in NETWORKS]
    from_bytes(good[0])
    assert 700 < refused(good, mutated_coded, 1000, lambda size: 1000 * size + 2**22) < 980
