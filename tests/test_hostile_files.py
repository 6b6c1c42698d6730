"""Whatever is not a network: one FileError of one line, at once, and next to no memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from nncomp.files import FileError, from_bytes, load, to_bytes
from nncomp.files.container import LARGEST_HEADER, pack
from nncomp.files.kinds import choices
from nncomp.network import MLP
from tests.strategies.hostile import container, good_networks, parts, with_layout, with_tree

DENSE, SPARSE, GROUPED, CODES, FAKE, MASKED, MX, NV, GGUF, SHARED, PRUNED, FACTORS, SUM, *OTHERS = good_networks()
CODED_FACTOR, SHARED_FACTOR, TRAINED_FACTOR, LEARNED, *_ = OTHERS
GOOD = to_bytes(DENSE)
W = "layers.0.weight.w"


def layout(name: str = W, **changes: Any) -> bytes:
    return with_layout(lambda header: header[name].update(changes), DENSE)


def offsets(start: int, stop: int) -> bytes:
    return layout(data_offsets=[start, stop])


def layer(network: MLP, **changes: Any) -> bytes:
    return with_tree(lambda told: told["network"]["layers"][0].update(changes), network)


def weight(network: MLP, **changes: Any) -> bytes:
    return with_tree(lambda told: told["network"]["layers"][0]["weight"].update(changes), network)


def grid(**changes: Any) -> bytes:
    return with_tree(lambda told: told["network"]["layers"][0]["weight"]["grid"].update(changes), CODES)


def codes(**changes: Any) -> bytes:
    return with_tree(lambda told: told["network"]["layers"][0]["weight"]["codes"].update(changes), GROUPED)


def format(**changes: Any) -> bytes:
    return with_tree(lambda told: told["network"]["layers"][0]["weight"]["grid"]["format"].update(changes), CODES)


def array(network: MLP, name: str, value: Any) -> bytes:
    """A good file with other numbers in one of its arrays."""
    header, _ = parts(to_bytes(network))
    arrays = dict(safetensors.numpy.load(to_bytes(network)))
    assert name in arrays
    arrays[name] = np.asarray(value, arrays[name].dtype)
    return pack(arrays, header["__metadata__"])


def described(text: str) -> bytes:
    return container({"__metadata__": {"nncomp": text}})


def share(told: dict[str, Any]) -> None:
    norm = told["network"]["layers"][0]["norm"]
    norm["gamma"] = norm["var"]


ENTRY = b'"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}'
S = "layers.0.weight"
SIGNED = {"is": "PackedCodes", "stream": {"array": f"{S}.indices.stream"}, "shape": [3, 4], "bits": 2, "signed": True}
NORM = "layers.0.norm"
BY_CHANCE = {"is": "Latent", "transform": {"is": "QuantizationNoise"}, "p": [], "w": {"array": f"{S}.B.w"}}
HOSTILE = {
    # The container: lengths.
    "empty": (b"", "0 bytes, and the length of a header"),
    "seven bytes": (b"1234567", "7 bytes"),
    "text": (b"not a network at all", "announces a header of [0-9,]+ bytes in a file of 20"),
    "no header": (bytes(8), "Expecting value"),
    "header longer than the file": ((2**40).to_bytes(8, "little") + b"{}", "header of 1,099,511,627,776 bytes"),
    "header of 2^62 bytes": ((2**62).to_bytes(8, "little") + b"{}", "announces a header"),
    "header over the limit": (container(b" " * (LARGEST_HEADER + 1)), "at most 1,048,576"),
    "truncated by a byte": (GOOD[:-1], "bytes follow the header"),
    "truncated in the header": (GOOD[:100], "announces a header"),
    "a byte too many": (GOOD + b"\0", "bytes follow the header"),
    # The container: JSON.
    "not JSON": (container(b"{"), "Expecting"),
    "not UTF-8": (container(b"\xff\xfe{}"), "utf-8"),
    "a list": (container(b"[1]"), "no table of arrays but"),
    "a number": (container(b"3"), "no table of arrays but 3"),
    "nested deeply": (container(b"[" * 100_000 + b"]" * 100_000), "nested too deeply"),
    "an array twice": (container(b"{%s, %s}" % (ENTRY, ENTRY), b"\0"), "'a' is there twice"),
    "a number with 5,000 digits": (container(b'{"a": %s}' % (b"9" * 5000)), "."),
    "NaN in JSON": (container(b'{"a": NaN}'), "holds NaN"),
    "infinity in JSON": (container(b'{"a": -Infinity}'), "holds -Infinity"),
    "metadata that is no table": (container({"__metadata__": [1]}), "metadata is no table of strings"),
    "metadata that is no string": (container({"__metadata__": {"nncomp": {}}}), "metadata is no table of strings"),
    # The container: the table of arrays.
    "an array that is a number": (container({"a": 3}), "'a' needs dtype, shape and data_offsets, not 3"),
    "an array without a shape": (container({"a": {"dtype": "F32", "data_offsets": [0, 4]}}), "needs dtype, shape"),
    "an unknown dtype": (layout(dtype="F128"), "unknown dtype 'F128'"),
    "a dtype that is a list": (layout(dtype=["F32"]), "unknown dtype"),
    "a negative side": (layout(shape=[-3, 4]), "impossible shape"),
    "half a side": (layout(shape=[1.5, 8]), "impossible shape"),
    "a true side": (layout(shape=[True, 12]), "impossible shape"),
    "a shape that is a number": (layout(shape=12), "impossible shape 12"),
    "nine dimensions": (layout(shape=[1] * 8 + [12]), "impossible shape"),
    "a product that wraps to 0 in 64 bits": (layout(shape=[2**32, 2**32], data_offsets=[0, 0]), "needs 73786976294838"),
    "a side of 2^63": (layout(shape=[2**63, 0]), "impossible shape"),
    "a shape for another size": (layout(shape=[3, 5]), "needs 60 bytes"),
    "no end": (layout(data_offsets=[0]), "impossible data_offsets"),
    "a negative start": (offsets(-4, 44), "impossible data_offsets"),
    "an end before the start": (offsets(48, 0), "needs 48 bytes"),
    "an end after the file": (offsets(10_000, 10_048), "starts at byte 108 and not 60"),
    "arrays that overlap": (layout(NORM + ".beta", data_offsets=[0, 12]), "overlaps|leaves a gap"),
    "a gap between arrays": (container({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}, b"ab"), "gap"),
    "a truth value of 2": (
        container({"a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}, b"\2"), "neither true nor false",
    ),
    # The description of the network.
    "other safetensors": (safetensors.numpy.save({"a": np.zeros(3)}), "no entry 'nncomp'"),
    "a description that is not JSON": (described("{"), "Expecting"),
    "a description that is a list": (described("[1]"), "has a version and a network"),
    "a description nested deeply": (described("[" * 100_000 + "]" * 100_000), "nested too deeply"),
    "no version": (described('{"network": {}}'), "has a version and a network"),
    "a newer version": (with_tree(lambda t: t.update(version=2), DENSE), "version 2, and this nncomp reads version 1"),
    "a version in words": (with_tree(lambda t: t.update(version="one"), DENSE), "version 'one'"),
    "a key twice": (described('{"version": 1, "version": 1, "network": {}}'), "'version' is there twice"),
    "no network": (with_tree(lambda t: t.update(network=None), DENSE), "network is MLP, not None"),
    "an activation for a network": (with_tree(lambda t: t.update(network={"is": "ReLU"}), DENSE), "network is MLP"),
    "no layers": (with_tree(lambda t: t["network"].update(layers=[]), DENSE), "at least one layer"),
    "a list for a layer": (with_tree(lambda t: t["network"].update(layers=[[]]), DENSE), "layers.0 is Linear, not"),
    "a number for layers": (with_tree(lambda t: t["network"].update(layers=3), DENSE), "a list, each item Linear"),
    "an unknown form": (weight(DENSE, **{"is": "Eval"}), "one of Dense, Sparse, Quantized, Shared, Encoded"),
    "an activation for a weight": (layer(DENSE, weight={"is": "ReLU"}), "layers.0.weight is one of Dense"),
    "a function for a weight": (layer(DENSE, weight={"function": "minmax"}), "layers.0.weight is one of Dense"),
    "an unknown field": (layer(DENSE, secret=1), "a Linear has no 'secret'"),
    "a missing field": (with_tree(lambda t: t["network"]["layers"][0].pop("bias"), DENSE), "a Linear needs bias"),
    "a number for an array": (layer(DENSE, bias=3), "layers.0.bias is an array, not 3"),
    "an array that is not there": (layer(DENSE, bias={"array": "x"}), "the array 'x' is not there"),
    "an array used twice": (with_tree(share, DENSE), "'layers.0.norm.var' is not there, or is somebody"),
    "an array nobody uses": (with_tree(lambda t: t["network"]["layers"][0].pop("norm"), DENSE), "nothing in it refers"),
    "a word for a slope": (layer(DENSE, activation={"is": "LeakyReLU", "slope": "up"}), "slope is a number, not 'up'"),
    "truth for a slope": (layer(DENSE, activation={"is": "LeakyReLU", "slope": True}), "slope is a number, not True"),
    "half a bit": (format(bits=7.5), "bits is a whole number, not 7.5"),
    "65 bits": (format(bits=65), "1 to 16 bits, not 65"),
    "an unknown rounding": (format(rounding={"function": "eval"}), "one of nearest_even, nearest_away, half_up"),
    "a scale rule for a rounding": (format(rounding={"function": "half_range"}), "one of nearest_even"),
    "half a group": (grid(group=1.5), "group is a whole number or nothing, not 1.5"),
    "a group for whole rows": (grid(group=2), "does not fit scales"),
    "inputs without end": (weight(SPARSE, inputs=2**80), "columns of uint8 cannot tell 12"),
    # Numbers that break the promises of a form.
    "a bias too long": (array(DENSE, "layers.0.bias", np.zeros(4)), r"a bias is float32 \(3,\), not float32 \(4,\)"),
    "layers that do not chain": (array(DENSE, "layers.1.weight.w", np.ones((1, 5))), "followed by 5"),
    "a weight of three dimensions": (array(DENSE, W, np.ones((3, 2, 2))), "is a matrix"),
    "a weight without inputs": (array(DENSE, W, np.ones((3, 0))), "at least one of each"),
    "a negative variance": (array(DENSE, f"{NORM}.var", [1, -1, 1]), "variances are at least 0"),
    "a norm with NaN": (array(DENSE, f"{NORM}.gamma", [1, np.nan, 1]), "finite vectors"),
    "a column outside": (array(SPARSE, f"{S}.columns", SPARSE.layers[0].weight.columns * 0 + 200), "column 200 in"),
    "columns that fall": (array(SPARSE, f"{S}.columns", SPARSE.layers[0].weight.columns[::-1]), "columns must rise"),
    "row starts that fall": (array(SPARSE, f"{S}.row_start", [0, 5, 3, len(SPARSE.layers[0].weight.values)]), "rise"),
    "row starts past the values": (array(SPARSE, f"{S}.row_start", [0, 1, 2, 200]), "row starts must rise from 0"),
    "no row starts": (array(SPARSE, f"{S}.row_start", []), "a weight is a matrix"),
    "a value too few": (array(SPARSE, f"{S}.values", [1.0]), "one column per value"),
    "a scale of NaN": (array(CODES, f"{S}.grid.scale", [[1], [np.nan], [1]]), "positive and finite"),
    "an infinite scale": (array(CODES, f"{S}.grid.scale", [[1], [np.inf], [1]]), "positive and finite"),
    "a scale of 0": (array(CODES, f"{S}.grid.scale", [[1], [0], [1]]), "positive and finite"),
    "a negative scale": (array(CODES, f"{S}.grid.scale", [[1], [-1], [1]]), "positive and finite"),
    "scales for other rows": (array(CODES, f"{S}.grid.scale", [[1], [1]]), "zero points are int8 of the scales' shape"),
    "codes outside the format": (array(GROUPED, f"{S}.codes.stream", 6 * [0x88]), "from -8 to -8 leave Uniform"),
    "packed codes too short": (array(GROUPED, f"{S}.codes.stream", [0]), "12 codes of 4 bits|are 6 bytes"),
    "packed codes without end": (codes(shape=[2**40, 2**40]), "codes of 4 bits are 6044629"),
    "packed codes of no bits": (codes(bits=0), "1 to 16 bits, not 0"),
    "packed codes of one side": (codes(shape=[12]), "a weight is a matrix"),
    "packed codes of half a side": (codes(shape=[1.5, 8]), "a whole number, not 1.5"),
    "packed codes of other bits": (codes(bits=3, shape=[4, 4]), "."),
    "blocks without scales": (weight(MX, parts=[]), "stored in 2 arrays, not in 0"),
    "an unknown format": (weight(MX, format={"format": "mxfp5"}), "weight.format is one of "),
    "a function for a format": (weight(MX, format={"function": "floor_scale"}), "weight.format is one of "),
    "a format of its own, halved": (weight(MX, format={"is": "BlockScaled"}), "a BlockScaled needs element"),
    "a block of nothing": (
        weight(MX, format={"is": "BlockScaled", "element": {"format": "float4_e2m1fn"}, "size": 0}),
        "at least one value",
    ),
    "scales for other rows of blocks": (array(MX, f"{S}.parts.1", [[1], [1]]), "do not fit uint8 .2, 1."),
    "a block scale that is NaN": (array(MX, f"{S}.parts.1", [[1], [255], [1]]), "is NaN or infinite"),
    "blocks in floats of 16 bits": (weight(MX, float_bits=16), "32 or 64 bits, not 16"),
    "blocks without end": (weight(MX, shape=[2**40, 2**40]), "codes of 4 bits are 6044629"),
    "a tensor scale of infinity": (array(NV, f"{S}.parts.2", [np.inf]), "is NaN or infinite"),
    "two tensor scales": (array(NV, f"{S}.parts.2", [1, 1]), "do not fit"),
    "half a block of bytes": (array(GGUF, f"{S}.parts.0", np.zeros((3, 17))), "whole blocks of 18 bytes"),
    "a block of bytes too many": (array(GGUF, f"{S}.parts.0", np.zeros((3, 36))), "are no matrix of shape"),
    "an index beyond the codebook": (array(SHARED, f"{S}.indices.stream", [3, 0, 0]), "index 3 into a codebook of 3"),
    "a sparse index beyond it": (
        array(PRUNED, f"{S}.indices.values", PRUNED.layers[0].weight.indices.values + 2), "index 4 into a codebook",
    ),
    "a codebook with NaN": (array(SHARED, f"{S}.codebook", [0, np.nan, 1]), "1 to 65536 finite floats"),
    "a codebook of nothing": (array(SHARED, f"{S}.codebook", []), r"32 or 64 bits, not float32 \(0,\)"),
    "a codebook of two sides": (array(SHARED, f"{S}.codebook", [[0], [1], [2]]), r"not float32 \(3, 1\)"),
    "a codebook for more bits": (array(SHARED, f"{S}.codebook", np.zeros(5)), "of 3 bits, not 2 bits in uint8"),
    "a codebook for wide indices": (array(PRUNED, f"{S}.codebook", np.zeros(257)), "uint16, or of 9 bits, not uint8"),
    "indices with signs": (weight(SHARED, indices=SIGNED), "not 2 bits in int8"),
    "factors that do not meet": (array(FACTORS, f"{S}.B.w", np.ones((3, 4))), r"\(rank, in\) of one dtype"),
    "a factor of one side": (array(FACTORS, f"{S}.A.w", np.ones(6)), "a weight is a matrix"),
    "factors of no rank": (array(FACTORS, f"{S}.A.w", np.ones((3, 0))), "at least one of each"),
    "an array for a factor": (weight(FACTORS, A={"array": f"{S}.A.w"}), "weight.A is one of Dense, .*Latent, not"),
    "a factor of factors": (weight(FACTORS, B={"is": "LowRank"}), "weight.B is one of Dense, .*Latent, not"),
    "a sum for a factor": (weight(FACTORS, B={"is": "Sum", "parts": []}), "weight.B is one of Dense, .*Latent, not"),
    "a factor that is missing": (
        with_tree(lambda t: t["network"]["layers"][0]["weight"].pop("A"), FACTORS), "a LowRank needs A"),
    "a factor drawn by chance": (
        weight(TRAINED_FACTOR, B=BY_CHANCE), "does not train by chance, as by QuantizationNoise"),
    "a column outside a factor": (
        array(CODED_FACTOR, f"{S}.B.columns", CODED_FACTOR.layers[0].weight.B.columns * 0 + 200), "column 200 in"),
    "a scale of a factor that is 0": (array(CODED_FACTOR, f"{S}.A.grid.scale", [[1], [0], [1]]), "positive and finite"),
    "a factor's index beyond its codebook": (
        array(SHARED_FACTOR, f"{S}.B.indices.stream", [3, 0, 0]), "layers.0.weight.B: index 3 into a codebook of 3"),
    "parts of two shapes": (array(SUM, f"{S}.parts.2.B.w", np.ones((2, 5))), r"one shape and dtype, .*32 \(3, 5\)"),
    "a sum of nothing": (weight(SUM, parts=[]), "a sum has at least one part"),
    "a sum in a sum": (weight(SUM, parts=[{"is": "Sum", "parts": []}]), "parts.0 is one of Dense, .*LowRank, not"),
    "a part that is an activation": (weight(SUM, parts=[{"is": "ReLU"}]), "weight.parts.0 is one of Dense"),
    "a table of parts": (weight(SUM, parts={"0": {"is": "Dense"}}), "weight.parts is a list, each item one of Dense"),
    "an input grid per row": (array(GROUPED, "layers.0.input.scale", [[1], [1], [1]]), "."),
    "steps for other rows": (array(LEARNED, f"{S}.p.0", [[1.0]]), r"LSQ has arrays of shapes \[\(3, 1\)\], not"),
    "a mask of another shape": (array(MASKED, f"{S}.transform.mask", np.ones((2, 2), bool)), r"shape \(3, 4\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_a_network_gets_one_line(tmp_path: Path, name: str) -> None:
    content, message = HOSTILE[name]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FileError, match=message) as error:
        load(tmp_path / "file")
    told = str(error.value)
    assert told.startswith(f"{tmp_path / 'file'} is not a network file: ") and "\n" not in told and len(told) < 500
    with pytest.raises(FileError, match="^not a network: "):
        from_bytes(content)


def test_the_good_files_are_good() -> None:
    for network in good_networks():
        assert from_bytes(to_bytes(network)).fingerprint() == network.fingerprint()


def test_every_form_transform_and_input_that_a_file_can_name_is_in_a_good_one() -> None:
    told = " ".join(parts(to_bytes(network))[0]["__metadata__"]["nncomp"] for network in good_networks())
    for place in (
        "Linear.weight",
        "Latent.transform",
        "Linear.input",
        "Quantized.codes",
        "Shared.indices",
        "LowRank.B",
    ):
        missing = [name for name in choices(place) if f'"is":"{name}"' not in told]
        assert not missing, f"{place}: {missing}"


def test_folders_and_devices_are_no_files(tmp_path: Path) -> None:
    for path in (tmp_path, "/dev/zero"):
        if Path(path).exists():
            with pytest.raises(FileError, match="is not a network file: it is not a regular file"):
                load(path)
