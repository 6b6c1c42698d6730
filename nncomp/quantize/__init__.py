"""Quantization on plain arrays: values -> range -> grid -> codes, or values -> centers -> indices."""

from nncomp.quantize.adaround import adaround
from nncomp.quantize.batches import moving_average
from nncomp.quantize.bias_correction import bias_correction
from nncomp.quantize.centers import density, kmeans_plus_plus, linear, random
from nncomp.quantize.descent import coordinate_descent
from nncomp.quantize.dynamic import Dynamic
from nncomp.quantize.entropy import Entropy
from nncomp.quantize.entropy_onnxruntime import EntropyOnnxRuntime
from nncomp.quantize.equalization import equalize, equalize_chain
from nncomp.quantize.gpfq import gpfq
from nncomp.quantize.gptq import gptq
from nncomp.quantize.half_quadratic import hqq, shrink_lp
from nncomp.quantize.importance import fisher_importance, hessian_importance
from nncomp.quantize.kmeans import kmeans
from nncomp.quantize.lattice import k_best, nearest_plane
from nncomp.quantize.ldlq import Incoherent, ldlq
from nncomp.quantize.llm_int8 import llm_int8
from nncomp.quantize.low_rank import l2qer, lqer, qera, svdquant
from nncomp.quantize.magr import magr, shrink_largest
from nncomp.quantize.mean_squared import MeanSquared
from nncomp.quantize.moments import ACIQ, Deviations, gauss, laplace
from nncomp.quantize.nearest import round_to_nearest
from nncomp.quantize.obq import obq
from nncomp.quantize.octav import OCTAV
from nncomp.quantize.optimal_kmeans import optimal_kmeans
from nncomp.quantize.precision import hawq
from nncomp.quantize.ranges import Percentile, minmax
from nncomp.quantize.scaling import awq, smoothquant
from nncomp.quantize.signround import signround
from nncomp.quantize.splitting import split_channels
from nncomp.quantize.spqr import spqr, spqr_outliers, spqr_sensitivity

__all__ = [
    "ACIQ",
    "OCTAV",
    "Deviations",
    "Dynamic",
    "Entropy",
    "EntropyOnnxRuntime",
    "Incoherent",
    "MeanSquared",
    "Percentile",
    "adaround",
    "awq",
    "bias_correction",
    "coordinate_descent",
    "density",
    "equalize",
    "equalize_chain",
    "fisher_importance",
    "gauss",
    "gpfq",
    "gptq",
    "hawq",
    "hessian_importance",
    "hqq",
    "k_best",
    "kmeans",
    "kmeans_plus_plus",
    "l2qer",
    "laplace",
    "ldlq",
    "linear",
    "llm_int8",
    "lqer",
    "magr",
    "minmax",
    "moving_average",
    "nearest_plane",
    "obq",
    "optimal_kmeans",
    "qera",
    "random",
    "round_to_nearest",
    "shrink_largest",
    "shrink_lp",
    "signround",
    "smoothquant",
    "split_channels",
    "spqr",
    "spqr_outliers",
    "spqr_sensitivity",
    "svdquant",
]
