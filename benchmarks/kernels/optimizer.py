"""Adam's update beside PyTorch's fused one."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.kernels.case import Case, equals
from nncomp.kernels.elementwise import adam, adam_reference

SETTINGS: dict[str, Any] = {"rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "decay": 0.0}
MOVED = 28
"""Bytes a weight: four floats read, three written."""


def adam_cases(quick: bool, threads: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for size in (266_610,) if quick else (266_610, 10_000_000):
        w, g = rng.standard_normal((2, size)).astype(np.float32)
        m, v = np.zeros(size, np.float32), np.zeros(size, np.float32)
        expected = adam_reference(w, g, m, v, t=1, **SETTINGS)[0]
        parameter = torch.nn.Parameter(torch.from_numpy(w.copy()))
        parameter.grad = torch.from_numpy(g.copy())
        rival = torch.optim.Adam([parameter], lr=SETTINGS["rate"], fused=True)
        theirs = [[torch.from_numpy(a.copy())] for a in (w, g, m, v)]

        def bare(arrays: list[list[torch.Tensor]] = theirs, step: torch.Tensor = torch.ones(())) -> None:
            w, g, m, v = arrays
            torch._fused_adam_(
                w, g, m, v, [], [step], lr=SETTINGS["rate"], beta1=SETTINGS["beta1"], beta2=SETTINGS["beta2"],
                weight_decay=0.0, eps=SETTINGS["eps"], amsgrad=False, maximize=False,
            )  # fmt: skip

        def ours(arrays: tuple = (w, g, m, v)) -> np.ndarray:
            adam(*arrays, t=1, **SETTINGS)
            return arrays[0]

        rivals: dict[str, Callable[[], Any]] = {"torch fused Adam": rival.step, "torch._fused_adam_": bare}
        yield Case("adam", f"{size:,} parameters", ours, rivals, equals(expected), MOVED * size, "read")
