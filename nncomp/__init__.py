"""nncomp: the reference implementation of neural-network compression on NumPy.

The way of the data: arrays -> method -> weight -> network -> step -> report.

    arrays      `prune` (scores, masks), `quantize` (ranges, codes), `factor` (thin pairs), `distill` and `losses`
                (losses with gradients)
    formats     `Uniform`, `Grid`: which numbers the integers stand for
    weights     `Dense`, `Sparse`, `Quantized`, `LowRank`, `Latent`: the same matrix, kept differently
    network     `MLP` of `Linear` layers, `forward` with a tape, `backward`, `train`
    steps       `Prune`, `Quantize`, `Factor`, `Distill`, `FineTune`; `compress` applies them in turn
    report      `Report`: what each step did to size, accuracy and speed
    files       `save`, `load`
    crosscheck  `compare`: another framework's function against ours, on cases that are hard on purpose

Importing nncomp loads nothing but this: each public name, listed in `__init__.pyi`, comes from its module when first
used (SPEC 1).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
