"""Networks on disk: one safetensors file each, every form bit for bit."""

from nncomp.files.network_file import FileError, load, save, to_bytes

__all__ = ["FileError", "load", "save", "to_bytes"]
