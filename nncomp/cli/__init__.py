"""The command line: `nncomp train, compress, demo` make networks, `report, predict, inspect` look at them."""

from nncomp.cli import making  # isort: skip
from nncomp.cli import looking
from nncomp.cli.app import app

__all__ = ["app", "looking", "making"]
