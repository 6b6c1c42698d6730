"""The program with all its commands, in the order that its help lists them."""

from nncomp.cli import making  # isort: skip
from nncomp.cli import searching  # isort: skip
from nncomp.cli import looking
from nncomp.cli.app import app

__all__ = ["app", "looking", "making", "searching"]
