"""A training kept on disk, to be stopped at any moment and gone on with."""

import json
import time
from pathlib import Path

from nncomp.files.atomic import write_atomically
from nncomp.files.container import pack, parse_json, unpack_file
from nncomp.files.network_file import FileError
from nncomp.hooks import Hook
from nncomp.progress import Progress

VERSION = 1


class Checkpoint(Hook):
    """The hook that writes a training's state to `path` after an epoch, if `every` seconds have passed since the last.

    Started again with the same arguments, the training goes on after the last epoch that was written and ends with the
    same bytes as if it had never stopped; one that had ended returns at once. A file of another training, or none that
    can be read, raises a FileError and is left alone. One file serves one training.

    >>> import tempfile
    >>> import numpy as np
    >>> from nncomp import MLP, Split, train
    >>> file = Path(tempfile.mkdtemp()) / "training"
    >>> data = Split(np.eye(2, dtype=np.float32), np.array([0, 1]))
    >>> first, again = (train(MLP.init([2, 2]), data, epochs=3, hooks=[Checkpoint(file)]) for _ in range(2))
    >>> first.fingerprint() == again.fingerprint()
    True
    """

    def __init__(self, path: str | Path, every: float = 2.0) -> None:
        self.path, self.every = Path(path), every

    def resume(self, progress: Progress) -> None:
        self.key, self.written = progress.key(), time.monotonic()
        if not self.path.exists():
            return
        try:
            metadata, arrays = unpack_file(self.path)
            told = parse_json(metadata.get("nncomp-training", "null"))
            if not isinstance(told, dict) or told.get("version") != VERSION:
                raise ValueError(f"it holds no training of version {VERSION}")
            if told["key"] != self.key:
                raise ValueError("it is of another network, other data or other settings")
            progress.restore(told["progress"], arrays)
        except (ValueError, KeyError, TypeError) as error:
            raise FileError(
                f"{self.path} does not go on with this training: {error}; remove it to start anew"
            ) from error

    def keep(self, progress: Progress, finished: bool) -> None:
        if finished or time.monotonic() - self.written >= self.every:
            told = {"version": VERSION, "key": self.key, "progress": progress.numbers()}
            write_atomically(self.path, pack(progress.arrays(), {"nncomp-training": json.dumps(told)}))
            self.written = time.monotonic()
