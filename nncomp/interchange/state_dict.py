"""PyTorch's state dicts: the arrays of a network by name, as `nn.Sequential(Linear, [BatchNorm1d], ReLU, ...)` has.

A state dict holds neither activations nor the eps of a batch norm, so both are arguments where one is read, and are
for the model to know where one is written.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nncomp.activations import Activation, ReLU
from nncomp.interchange.arrays import to_numpy
from nncomp.interchange.layer_list import ending_in_logits, float_dtype, own
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.weights import Dense

LINEAR = ("weight", "bias")
NORM = (*LINEAR, "running_mean", "running_var")
IGNORED = "num_batches_tracked"


def from_state_dict(state: Mapping[str, Any], activation: Activation = ReLU(), eps: float = 1e-5) -> MLP:
    """The network in a PyTorch state dict, `activation` between its layers; the last gives logits.

    Keys are grouped by what stands before their last dot, in order of appearance. A 2-D `weight` (out, in), with or
    without `bias` (out,), is a linear layer; 1-D `weight`, `bias`, `running_mean` and `running_var` are the batch norm
    after it, with `eps`; `num_batches_tracked` is ignored. Values are anything `to_numpy` takes, and are copied, to
    float64 if any of them is that, else to float32. A ValueError names the keys and shapes of what makes no such chain.

    >>> network = from_state_dict({"0.weight": np.ones((3, 2)), "0.bias": np.ones(3), "2.weight": np.ones((1, 3))})
    >>> network(np.array([[1.0, 2.0]]))
    array([[12.]])
    """
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, value in state.items():
        prefix, _, name = key.rpartition(".")
        if name != IGNORED:
            groups.setdefault(key.removesuffix(name), {})[name] = _array(key, value)
    dtype = float_dtype(a for group in groups.values() for a in group.values())
    layers: list[Linear] = []
    for prefix, group in groups.items():
        _check(prefix, group, layers)
        arrays = [own(group[name], dtype, repr(prefix + name)) for name in NORM if name in group]
        if len(arrays) == len(NORM):
            gamma, beta, mean, var = arrays
            layers[-1] = replace(layers[-1], norm=BatchNorm(gamma, beta, mean, var, eps=eps))
        else:
            bias = arrays[1] if len(arrays) == 2 else np.zeros(len(arrays[0]), dtype)
            layers.append(Linear(Dense(arrays[0]), bias, activation))
    return ending_in_logits(layers)


def to_state_dict(network: MLP) -> dict[str, np.ndarray]:
    """The arrays of the network, new ones, by the names they have in the like `nn.Sequential`.

    That is `Linear`, `BatchNorm1d` where a layer has a norm, the activation (`nn.Identity()` for none), and so on:
    `model.load_state_dict({key: torch.from_numpy(a) for key, a in to_state_dict(network).items()})`. Weights are
    decoded from the form they are kept in. Activations, input quantizers and the eps of norms are not in it.

    >>> list(to_state_dict(MLP.init([4, 3, 2])))
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """
    state: dict[str, np.ndarray] = {}
    i = 0
    for layer in network.layers:
        state |= {f"{i}.weight": np.array(layer.weight.dense()), f"{i}.bias": np.array(layer.bias)}
        if layer.norm is not None:
            i += 1
            arrays = (layer.norm.gamma, layer.norm.beta, layer.norm.mean, layer.norm.var)
            state |= {f"{i}.{name}": np.array(a) for name, a in zip(NORM, arrays)}
        i += 2
    return state


def _array(key: str, value: Any) -> np.ndarray:
    try:
        return to_numpy(value)
    except TypeError as error:
        raise ValueError(f"{key!r}: {error}") from error


def _check(prefix: str, group: dict[str, np.ndarray], before: list[Linear]) -> None:
    """Raise unless the group is a linear layer or a batch norm that fits the layers before it."""
    outputs = before[-1].weight.shape[0] if before else None
    told = ", ".join(f"{prefix + name!r} {a.shape}" for name, a in group.items())
    weight = group.get("weight", np.zeros(()))
    if weight.ndim == 2 and set(group) <= set(LINEAR):
        if outputs not in (None, weight.shape[1]) or group.get("bias", weight[:, 0]).shape != weight.shape[:1]:
            raise ValueError(f"{told}: no linear layer of {outputs or 'any number of'} inputs")
    elif set(group) == set(NORM) and all(a.ndim == 1 for a in group.values()):
        if not before or before[-1].norm is not None or any(a.shape != (outputs,) for a in group.values()):
            after = f"a linear layer of {outputs} outputs" if before else "nothing"
            raise ValueError(f"{told}: no batch norm that can follow {after}")
    else:
        raise ValueError(
            f"{told}: neither a linear layer (2-D weight, {LINEAR[1]}) nor a batch norm ({', '.join(NORM)}, all 1-D)"
        )
