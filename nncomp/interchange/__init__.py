"""Arrays and networks from other frameworks, and back to them."""

from nncomp.interchange.arrays import to_numpy
from nncomp.interchange.layer_list import from_layers, to_layers
from nncomp.interchange.onnx_graph.reading import from_onnx
from nncomp.interchange.onnx_graph.writing import to_onnx
from nncomp.interchange.pruning import prune_array
from nncomp.interchange.quantizing import quantize_array
from nncomp.interchange.scikit_learn import from_sklearn, to_sklearn
from nncomp.interchange.state_dict import from_state_dict, to_state_dict

__all__ = [
    "from_layers", "from_onnx", "from_sklearn", "from_state_dict", "prune_array", "quantize_array", "to_layers",
    "to_numpy", "to_onnx", "to_sklearn", "to_state_dict",
]  # fmt: skip
