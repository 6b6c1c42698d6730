"""Files that survive: networks bit for bit, written whole or not at all, read without trust."""

from nncomp.files.atomic import write_atomically
from nncomp.files.checkpoint import Checkpoint
from nncomp.files.condensed import entropy_bytes
from nncomp.files.lineage import Lineage
from nncomp.files.network_file import FileError, from_bytes, is_coded, load, read_lineage, save, to_bytes

__all__ = [
    "Checkpoint",
    "FileError",
    "Lineage",
    "entropy_bytes",
    "from_bytes",
    "is_coded",
    "load",
    "read_lineage",
    "save",
    "to_bytes",
    "write_atomically",
]
