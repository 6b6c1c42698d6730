"""Networks as ONNX graphs: run by ONNX Runtime, read back, and what is no network refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp import from_onnx, to_onnx
from nncomp.activations import Softmax
from nncomp.formats import Grid, PerColumn, PerGroup, PerRow, PerTensor, Uniform, divide_add_round, mxfp4
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize import Dynamic, spqr
from nncomp.quantize.nearest import fit_grid
from nncomp.steps import Prune, Quantize, Share
from nncomp.weights import Dense, Quantized, Sparse
from tests.strategies.data import small
from tests.strategies.networks import networks
from tests.strategies.weights import matrices, seeds

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
H, T = onnx.helper, onnx.TensorProto
DATA = small(7, samples=120)
DYNAMIC = Dynamic(Uniform(signed=False, symmetric=False), PerTensor())


def run(model: Any, x: np.ndarray, optimized: bool = True) -> np.ndarray:
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    if not optimized:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def bound(network: MLP, x: np.ndarray) -> np.ndarray:
    """What float32 can be off by: sums of the sizes of all terms, layer by layer, activations of slope 1.2 at most."""
    off, a = np.zeros_like(x, np.float64), x
    for layer in network.layers:
        W = np.abs(layer.weight.dense().astype(np.float64))
        size = np.abs(a.astype(np.float64)) @ W.T + np.abs(layer.bias)
        off = off @ W.T + 2 * (W.shape[1] + 8) * 2.0**-24 * size
        if layer.norm is not None:
            gain, shift = (np.abs(v.astype(np.float64)) for v in layer.norm.affine())
            off = off * gain + 2.0**-20 * (size * gain + shift + 1)
        a = layer(a)
        off = 1.2 * off + 2.0**-20 * (1 + np.abs(a))
    return off


@settings(max_examples=60)
@given(networks(quantized_inputs=False), seeds)
def test_float_networks_are_run_alike_and_come_back(network: MLP, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((4, network.sizes[0])).astype(np.float32)
    model = to_onnx(network)
    y = run(model, x)
    assert (np.abs(y - network(x)) <= bound(network, x)).all()
    again = from_onnx(model.SerializeToString())
    assert (np.abs(again(x) - network(x)) <= bound(network, x)).all()
    assert [type(layer.activation) for layer in again.layers] == [type(layer.activation) for layer in network.layers]


@st.composite
def byte_networks(draw: st.DrawFn) -> MLP:
    """Networks that multiply bytes: dense and sparse codes of up to 8 bits, by row and by tensor, ReLU in between."""
    rng, layers, width = np.random.default_rng(draw(seeds)), [], draw(st.integers(1, 40))
    for last in (False, True):
        out = draw(st.integers(1, 20))
        W = rng.standard_normal((out, width)).astype(np.float32)
        format = Uniform(draw(st.integers(2, 8)), draw(st.booleans()), draw(st.booleans()), draw(st.booleans()))
        weight = Sparse.from_dense(W, rng.random(W.shape) < 0.5) if draw(st.booleans()) else Dense(W)
        per = draw(st.sampled_from([PerRow(), PerTensor()]))
        codes = Quantized.encoded(weight, fit_grid(weight.dense(), format, per))
        seen = Uniform(8, draw(st.booleans()), symmetric=False)
        static = fit_grid(np.array([[rng.uniform(-3, 0), rng.uniform(0.1, 3)]], np.float32), seen, PerTensor())
        bias = rng.standard_normal(out).astype(np.float32)
        activation = MLP.init([1, 1, 1]).layers[int(last)].activation
        layers.append(Linear(codes, bias, activation, input=DYNAMIC if draw(st.booleans()) else static))
        width = out
    return MLP(tuple(layers))


@settings(max_examples=150)
@given(byte_networks(), st.integers(1, 5), seeds)
def test_integers_are_the_runtime_s_bit_for_bit(network: MLP, batch: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((batch, network.sizes[0])).astype(np.float32)
    model = to_onnx(network, integers=True)
    y = network(x)
    np.testing.assert_array_equal(run(model, x, optimized=False), y)
    again = from_onnx(model)
    assert all(layer.integer for layer in again.layers)
    np.testing.assert_array_equal(again(x), y)


@settings(max_examples=100)
@given(byte_networks(), seeds)
def test_qdq_gives_the_same_codes_but_at_ties(network: MLP, seed: int) -> None:
    """A layer at a time, from the same inputs: the next grid's codes are equal, or one apart at a tie."""
    x = np.random.default_rng(seed).standard_normal((4, network.sizes[0])).astype(np.float32)
    for layer in network.layers:
        alone = MLP((layer,))
        theirs, ours = run(to_onnx(alone), x), layer(x)
        W = np.abs(layer.weight.dense().astype(np.float64))
        seen = layer.input.grid_for(x)  # type: ignore[union-attr]
        inputs = np.abs(seen.decode(seen.encode(x)).astype(np.float64))
        off = 4 * (W.shape[1] + 4) * 2.0**-24 * (inputs @ W.T + np.abs(layer.bias))
        assert (np.abs(theirs - ours) <= off).all()
        grid = Grid(Uniform(signed=False), np.full((1, 1), 0.05, np.float32))
        a, b = grid.encode(theirs).astype(int), grid.encode(ours).astype(int)
        apart = a != b
        assert (np.abs(a - b)[apart] == 1).all()
        steps = ours.astype(np.float64) / 0.05
        assert (np.abs(np.abs(steps - np.floor(steps) - 0.5))[apart] <= (off / 0.05)[apart] + 1e-6).all()
        x = ours


WAYS: dict[str, Callable[[MLP], MLP]] = {
    "floats": lambda n: n,
    "8 bits": lambda n: Quantize()(n, DATA),
    "weights alone, 4 bits": lambda n: Quantize(Uniform(4), inputs=None)(n, DATA),
    "groups that do not divide": lambda n: Quantize(Uniform(4), PerGroup(3), inputs=None)(n, DATA),
    "groups, asymmetric": lambda n: Quantize(Uniform(4, symmetric=False), PerGroup(4), inputs=None)(n, DATA),
    "by tensor, unsigned": lambda n: Quantize(Uniform(8, signed=False), PerTensor(), inputs=None)(n, DATA),
    "16 bits": lambda n: Quantize(Uniform(16), inputs=None)(n, DATA),
    "dynamic": lambda n: Quantize(inputs=DYNAMIC)(n, DATA),
}
OTHER_FORMS: dict[str, Callable[[MLP], MLP]] = {
    "by column": lambda n: Quantize(Uniform(8), PerColumn(), inputs=None)(n, DATA),
    "3 bits": lambda n: Quantize(Uniform(3), inputs=None)(n, DATA),
    "sparse": lambda n: Prune(0.6)(n, DATA),
    "sparse codes": lambda n: Quantize()(Prune(0.6)(n, DATA), DATA),
    "shared": lambda n: Share(4)(n, DATA),
    "blocks": lambda n: Quantize(mxfp4, inputs=None)(n, DATA),
    "outliers and factors": lambda n: Quantize(Uniform(3), inputs=None, method=spqr, rank=2)(n, DATA),
    "zero points that are no codes": lambda n: Quantize(
        Uniform(4, symmetric=False, integer_zero=False, arithmetic=divide_add_round), inputs=None
    )(n, DATA),
}


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("way", [*WAYS, *OTHER_FORMS])
def test_every_form_is_run_and_read_back(way: str, integers: bool, tmp_path: Path) -> None:
    network = {**WAYS, **OTHER_FORMS}[way](MLP.init([8, 7, 3], seed=3))
    model = to_onnx(network, integers)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    again, x = from_onnx(tmp_path / "net.onnx"), DATA.train.x
    np.testing.assert_allclose(run(model, x), network(x), atol=0.02 if "8 bits" in way or "codes" in way else 1e-5)
    np.testing.assert_array_equal(again(x), network(x))
    assert (again.fingerprint() == network.fingerprint()) == (way in WAYS)


def graph(nodes: list[Any], arrays: dict[str, np.ndarray], out: str = "y") -> Any:
    ends = [H.make_tensor_value_info(name, T.FLOAT, ["n", None]) for name in ("x", out)]
    tensors = [onnx.numpy_helper.from_array(a, name) for name, a in arrays.items()]
    return H.make_model(H.make_graph(nodes, "g", ends[:1], ends[1:], tensors), opset_imports=[H.make_opsetid("", 21)])


def test_what_others_write() -> None:
    """MatMul and Add, Gemm that is not turned, a folded factor of sums, QLinearMatMul with what the next layer sees."""
    rng = np.random.default_rng(0)
    W, b, x = (rng.standard_normal(s).astype(np.float32) for s in ((3, 5), (5,), (4, 3)))
    node = H.make_node
    plain = graph([node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "W"], ["z"]), node("Add", ["b", "z"], ["a"]),
                   node("Relu", ["a"], ["r"]), node("Softmax", ["r2"], ["y"])], {"W": W, "b": b})  # fmt: skip
    plain.graph.node[4].input[0] = "a"
    np.testing.assert_allclose(from_onnx(plain)(x), Softmax()(x @ W + b), rtol=1e-5)
    turned = graph([node("Gemm", ["x", "W", "b"], ["y"])], {"W": W, "b": b})
    np.testing.assert_array_equal(from_onnx(turned)(x), from_onnx(plain).layers[0].weight.apply(x) + b)
    s, z = np.array(0.05, np.float32), np.array(3, np.uint8)
    codes, c = rng.integers(-127, 128, (3, 5)).astype(np.int8), np.float32(0.05) * np.float32(0.01)
    integers = graph(
        [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("MatMulInteger", ["q", "B", "z"], ["acc"]),
         node("Cast", ["acc"], ["f"], to=T.FLOAT), node("Mul", ["f", "c"], ["m"]), node("Add", ["m", "b"], ["y"])],
        {"s": s, "z": z, "B": codes, "c": np.array(c), "b": b},
    )  # fmt: skip
    np.testing.assert_allclose(from_onnx(integers)(x), run(integers, x), rtol=1e-6)
    assert from_onnx(integers).layers[0].integer
    names = ["q", "s", "z", "B", "bs", "bz", "ys", "yz"]
    linear = graph(
        [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("QLinearMatMul", names, ["p"]),
         node("DequantizeLinear", ["p", "ys", "yz"], ["d"]), node("Gemm", ["d", "V"], ["y"], transB=1)],
        {"s": s, "z": z, "B": codes, "bs": np.full(5, 0.01, np.float32), "bz": np.zeros(5, np.int8),
         "ys": np.array(0.1, np.float32), "yz": np.array(100, np.uint8), "V": W[:2].repeat(1, axis=0)},
    )  # fmt: skip
    np.testing.assert_allclose(from_onnx(linear)(x), run(linear, x), rtol=1e-5, atol=0.1 * np.abs(W[:2]).max())


W32, N = np.ones((2, 3), np.float32), H.make_node
GEMM, ONE = N("Gemm", ["x", "w"], ["y"], "gemm1", transB=1), {"w": W32}
TWO = ONE | {"b": np.ones(5, np.float32), "s": np.array(1, np.float32), "t": np.array(2, np.float32)}
SCALED = [N("QuantizeLinear", ["x", "s"], ["q"]), N("DequantizeLinear", ["q", "t"], ["d"], "d1")]
REFUSED: dict[str, tuple[Any, str]] = {
    "bytes": (b"not a model at all", "not an ONNX model"),
    "empty": (b"", "one input and one output"),
    "an operator": (graph([N("Conv", ["x", "w"], ["y"], "c1")], ONE), "node 'c1' .Conv.: an operator that no layer"),
    "a cycle": (
        graph([N("Add", ["y", "b"], ["z"], "a1"), N("Gemm", ["z", "w"], ["y"])], TWO),
        "node 'a1' .Add.: nothing before it makes y",
    ),
    "alpha": (graph([N("Gemm", ["x", "w"], ["y"], "g", alpha=2.0)], ONE), "alpha and beta are 1"),
    "weights that flow": (graph([N("MatMul", ["x", "x"], ["y"], "m")], {}), "'m' .MatMul.: weights"),
    "an activation first": (graph([N("Relu", ["x"], ["y"], "r")], {}), "'r' .Relu.: it does not follow a layer"),
    "two activations": (
        graph([GEMM, N("Relu", ["y"], ["a"]), N("Tanh", ["a"], ["t"], "t1")], ONE, "t"),
        "node 't1' .Tanh.: it follows ReLU",
    ),
    "no layer": (graph([N("Identity", ["x"], ["y"])], {}), "not what a layer puts out"),
    "layers that do not chain": (graph([GEMM, N("Gemm", ["y", "w"], ["t"], transB=1)], ONE, "t"), "2"),
    "a residual": (graph([GEMM, N("Add", ["y", "x"], ["t"], "res")], ONE, "t"), "'res' .Add."),
    "a bias of another size": (graph([N("Gemm", ["x", "w", "b"], ["y"], "g", transB=1)], TWO), "node 'g' .Gemm."),
    "half precision": (graph([GEMM], {"w": W32.astype(np.float16)}), "float32 or float64, not float16"),
    "codes of another scale": (
        graph([*SCALED, N("Gemm", ["d", "w"], ["y"], transB=1)], TWO),
        "node 'd1' .DequantizeLinear.: codes go on with the scale",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_network_is_refused_in_one_line(name: str) -> None:
    model, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as error:
        from_onnx(model)
    assert "\n" not in str(error.value)


def test_hostile_tensors() -> None:
    model = graph([GEMM], {"w": W32})
    huge = onnx.ModelProto.FromString(model.SerializeToString())
    huge.graph.initializer[0].dims[:] = [2**31, 2**31]
    outside = onnx.ModelProto.FromString(model.SerializeToString())
    outside.graph.initializer[0].data_location = T.EXTERNAL
    entry = outside.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    negative = onnx.ModelProto.FromString(model.SerializeToString())
    negative.graph.initializer[0].dims[:] = [-2, -3]
    for bad, message in ((huge, "does not hold that many"), (outside, "lies in another file"), (negative, "'w'")):
        with pytest.raises(ValueError, match=message):
            from_onnx(bad)
    content = model.SerializeToString()
    for cut in range(0, len(content), 7):
        try:
            from_onnx(content[:cut])
        except ValueError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("step", "integers", "message"),
    [
        (Quantize(inputs=Uniform(7, signed=False, symmetric=False)), False, "layer0: .* whole bytes"),
        (Quantize(inputs=Dynamic(Uniform())), True, "layer0: DynamicQuantizeLinear fits one unsigned"),
        (Quantize(per=PerGroup(2)), True, "layer0: MatMulInteger takes 8 bits"),
        (Quantize(Uniform(12)), True, "layer0: MatMulInteger takes 8 bits"),
    ],
)
def test_what_has_no_operator(step: Quantize, integers: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_onnx(step(MLP.init([8, 4, 3]), DATA), integers)


@given(matrices(np.float64))
def test_doubles_go_through(w: np.ndarray) -> None:
    network = MLP((Linear(Dense(w), np.zeros(len(w))),))
    assert from_onnx(to_onnx(network)).fingerprint() == network.fingerprint()
