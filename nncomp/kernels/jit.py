"""The decorators of the kernels: compiled on first use, without the GIL, cached so that nothing stale is ever run.

Numba's own disk cache looks at one source file, so it serves stale code after an edit in another; it breaks for good
on a truncated file; and its index can pair one process's entry with another's. Here an entry is one file whose name is
the hash of everything its machine code depends on: all kernel sources, the versions, the flags, the processor, the
signature. Its first 32 bytes are the checksum of the rest. A file that is missing, broken or unreadable means compiling
again.
"""

import hashlib
import pickle
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from nncomp.kernels.simd.path import CHOSEN

config: Any = numba.config
KERNELS = Path(__file__).parent
SETTINGS = ("BOUNDSCHECK", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "DEBUGINFO_DEFAULT")
"""Numba's settings that change the machine code."""


def compiled(function: Callable) -> Callable:
    """Compile `function` on its first call, without any liberty in floating point.

    >>> add = compiled(lambda a, b: a + b)
    >>> add(1, 2)
    3
    """
    if config.DISABLE_JIT:
        return function
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if KERNELS in Path(function.__code__.co_filename).parents:  # the stamp vouches for these sources only
        dispatcher._cache = KernelCache(function)
    return dispatcher


def inlined(function: Callable) -> Callable:
    """A part of a kernel: its code becomes part of whatever kernel calls it, compiled and cached with it.

    >>> half = inlined(lambda a: a / 2)
    >>> half(3)
    1.5
    """
    if config.DISABLE_JIT:
        return function
    return numba.njit(nogil=True, error_model="numpy", inline="always")(function)


def _stamp() -> str:
    """Hash of what every kernel's machine code depends on besides its own flags, signature and processor.

    Taken when a kernel is made, that is while its file is imported: what is read is what will be compiled.
    """
    digest = hashlib.sha256()
    for source in sorted(KERNELS.rglob("*.py")):
        digest.update(str(source.relative_to(KERNELS)).encode() + b"\0" + source.read_bytes() + b"\0")
    versions = (sys.version, numpy.__version__, numba.__version__, llvmlite.__version__, CHOSEN)
    digest.update(repr((versions, [str(getattr(config, name, None)) for name in SETTINGS])).encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """`NUMBA_CACHE_DIR` if set, else the user's own cache folder: the entries are pickles, never share them."""
    return Path(config.CACHE_DIR or AppDirs(appname="nncomp", appauthor=False).user_cache_dir) / "nncomp-kernels"


class KernelCache(FunctionCache):
    """Numba's cache protocol over `EntryFiles`; failing to store is no error."""

    def __init__(self, function: Callable) -> None:
        self._name = repr(function)
        self._py_func = function
        self._impl = _Impl(function)
        self._cache_path = str(cache_folder())
        self._cache_file: Any = EntryFiles(cache_folder(), function)
        self.enable()

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super()._load_overload(sig, target_context)
        except Exception:  # an entry that passes its checksum and still does not load: compile anew
            return None


class _Impl(CompileResultCacheImpl):
    """How a compiled function becomes bytes (Numba's way), and where they go (ours)."""

    def __init__(self, function: Callable) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator()


class _Locator:
    _py_file = __file__

    def ensure_cache_path(self) -> None:
        """Nothing to prepare: `EntryFiles.save` makes the folder."""


class EntryFiles:
    """One checksummed file per compiled signature, written whole or not at all."""

    def __init__(self, folder: Path, function: Callable) -> None:
        self.folder, self.function, self.stamp = folder, function, _stamp()

    def path(self, key: Any) -> Path:
        code = self.function.__code__
        name = repr((self.stamp, code.co_filename, self.function.__qualname__, code.co_firstlineno, key))
        return self.folder / f"{self.function.__name__.strip('<>')}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"

    def load(self, key: Any) -> Any:
        try:
            entry = self.path(key).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(entry[32:]).digest() != entry[:32]:
            return None
        return pickle.loads(entry[32:])

    def save(self, key: Any, data: Any) -> None:
        payload = dumps(data)
        path = self.path(key)
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        with suppress(OSError):  # a read-only or full disk: the kernel runs all the same
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    def flush(self) -> None:
        """Entries never grow stale, so there is nothing to empty."""
