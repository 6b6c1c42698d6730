"""Networks in integers alone."""

from nncomp.integers.layer import IntegerLayer as IntegerLayer
from nncomp.integers.network import IntegerMLP as IntegerMLP
