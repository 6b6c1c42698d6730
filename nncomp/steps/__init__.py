"""Steps: frozen values that are functions `(network, data) -> network`, and `compress`, which applies them in turn."""

from nncomp.steps.compress import compress, stages
from nncomp.steps.distill import Distill
from nncomp.steps.equalize import Equalize
from nncomp.steps.factor import Factor
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.guard import Guard, TooMuchLost, halve, stop, undo
from nncomp.steps.match import Match
from nncomp.steps.mixed_precision import MixedPrecision
from nncomp.steps.original import Original
from nncomp.steps.preprocess import Preprocess
from nncomp.steps.prune import Prune
from nncomp.steps.quantize import Quantize
from nncomp.steps.recipe import Recipe
from nncomp.steps.reconstruct import Reconstruct
from nncomp.steps.regrow import Regrow
from nncomp.steps.rescale import Rescale
from nncomp.steps.rewind import Rewind
from nncomp.steps.share import Share
from nncomp.steps.shrink import Shrink
from nncomp.steps.sparsify import Sparsify
from nncomp.steps.step import CompressionStep
from nncomp.steps.tables import RecipeError
from nncomp.steps.update import Update

__all__ = [
    "CompressionStep",
    "Distill",
    "Equalize",
    "Factor",
    "FineTune",
    "Guard",
    "Match",
    "MixedPrecision",
    "Original",
    "Preprocess",
    "Prune",
    "Quantize",
    "Recipe",
    "RecipeError",
    "Reconstruct",
    "Regrow",
    "Rescale",
    "Rewind",
    "Share",
    "Shrink",
    "Sparsify",
    "TooMuchLost",
    "Update",
    "compress",
    "halve",
    "stages",
    "stop",
    "undo",
]
