"""ONNX graphs of dense layers as networks: in floats, as QDQ, or in integers."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncomp.interchange.onnx_graph.flow import Flow
from nncomp.interchange.onnx_graph.reader import Reader, array_of
from nncomp.network import MLP

if TYPE_CHECKING:
    import onnx


def from_onnx(model: "onnx.ModelProto | bytes | str | PathLike[str]") -> MLP:
    """The network that a graph computes, from its one input (batch, in) to its one output; needs the `onnx` extra.

    Known are Gemm, MatMul, Add, BatchNormalization, the activations, QuantizeLinear and DequantizeLinear of inputs and
    of weights (by tensor, row or block) and biases, DynamicQuantizeLinear, MatMulInteger with its Cast and Mul,
    QLinearMatMul, QGemm, Clip of codes, Identity, Flatten, Dropout (which does nothing at inference). What `to_onnx`
    writes of an `MLP` comes back as the same function: sparse and shared weights dense, codes in the 4, 8 or 16 bits
    they were written in. A grid that the outputs are laid on at the end is left out. A ValueError names the node that
    is none of these, or not where it could be; data outside the file is not read.

    >>> from nncomp.interchange import to_onnx
    >>> network = MLP.init([3, 4, 2])
    >>> from_onnx(to_onnx(network)).fingerprint() == network.fingerprint()
    True
    """
    graph = _parsed(model).graph
    reader = Reader({tensor.name: array_of(tensor) for tensor in graph.initializer})
    inputs = [i.name for i in graph.input if i.name not in reader.values]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ValueError(f"a network has one input and one output, not {inputs} and {[o.name for o in graph.output]}")
    reader.values[inputs[0]] = Flow()
    for node in graph.node:
        reader.read(node)
    end = reader.values.get(graph.output[0].name)
    if not isinstance(end, Flow) or end.codes or end.sums or not end.layers:
        raise ValueError(f"the output {graph.output[0].name!r} is not what a layer puts out")
    return MLP(end.layers)


def _parsed(model: Any) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if isinstance(model, onnx.ModelProto):
        return model
    content = model if isinstance(model, bytes) else Path(model).read_bytes()
    try:
        return onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ValueError(f"not an ONNX model: {error}") from error
