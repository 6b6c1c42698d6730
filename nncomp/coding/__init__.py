"""Integers in as few bytes as how often each occurs allows: the entropy, tables of frequencies, a range coder."""

from nncomp.coding.entropy import entropy_bits
from nncomp.coding.frequencies import Frequencies
from nncomp.coding.gaps import from_gaps, gaps
from nncomp.coding.range_coder import Decoder, Encoder

__all__ = ["Decoder", "Encoder", "Frequencies", "entropy_bits", "from_gaps", "gaps"]
