"""The folder of a search: each trial is kept as soon as it is done, so that a search can be stopped at any moment."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nncomp.fields import brief, plain
from nncomp.files import FileError, from_bytes, write_atomically
from nncomp.files.atomic import remove_partials
from nncomp.network import MLP
from nncomp.search.trial import Trial


@dataclass(frozen=True)
class Store:
    """Trials in files: `trials/KEY.safetensors`, the network, and then `trials/KEY.json`, a line that says it is whole.

    >>> import tempfile
    >>> from nncomp.files import to_bytes
    >>> network = MLP.init([2, 1])
    >>> content = to_bytes(network)
    >>> trial = Trial("a", {"kept": 0.1}, size=len(content))
    >>> store = Store(Path(tempfile.mkdtemp()), {"seed": 0})
    >>> store.claim()
    >>> store.write(trial, content)
    >>> store.read("a") == trial, store.network(trial).sizes
    (True, [2, 1])
    """

    folder: Path
    search: dict[str, Any]

    def check(self) -> None:
        """A ValueError where the folder is another search's."""
        path = self.folder / "search.json"
        try:
            same = not path.exists() or json.loads(path.read_text(encoding="utf-8")) == self._told
        except ValueError:
            same = False
        if not same:
            raise ValueError(
                f"{self.folder} holds a search of another network, data, seed or space: go on with that one, "
                "or name another folder"
            )

    def claim(self) -> None:
        """From now on it is this search's, made where there is none."""
        self.check()
        (self.folder / "trials").mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, self.folder / "trials"):
            remove_partials(folder)
        write_atomically(self.folder / "search.json", (json.dumps(self._told, indent=1) + "\n").encode())

    @property
    def _told(self) -> dict[str, Any]:
        return {"version": 1, **self.search}

    def read(self, key: str) -> Trial | None:
        """The trial, if it was finished."""
        path = self._file(key, "json")
        if not path.exists():
            return None
        try:
            return _trial(key, json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no trial: {error}; remove it, and the trial is done anew") from error

    def write(self, trial: Trial, content: bytes | None) -> None:
        """Keep a trial and the content of its network's file."""
        if content is not None:
            write_atomically(self._file(trial.key, "safetensors"), content)
        write_atomically(self._file(trial.key, "json"), (json.dumps(asdict(trial)) + "\n").encode())

    def network(self, trial: Trial) -> MLP:
        """The network of a trial that is whole."""
        path = self._file(trial.key, "safetensors")
        try:
            content = path.read_bytes()
            if len(content) != trial.size:
                raise ValueError(f"it has {len(content):,} bytes, not {trial.size:,}")
            return from_bytes(content)
        except (ValueError, FileNotFoundError) as error:
            told = f"{error}; remove {trial.key}.json there, and it is done anew"
            raise FileError(f"{path} is not the network of its trial: {told}") from error

    def _file(self, key: str, suffix: str) -> Path:
        return self.folder / "trials" / f"{key}.{suffix}"


def _trial(key: str, told: Any) -> Trial:
    hints = {field.name: field.type for field in fields(Trial)}
    if not isinstance(told, dict) or set(told) != set(hints) or told["key"] != key:
        raise ValueError(f"it has {', '.join(hints)}, the key {key}, and not {brief(told)}")
    for name, hint in hints.items():
        if not (isinstance(told[name], dict) if name == "parameters" else plain(told[name], hint)):
            raise ValueError(f"{name} cannot be {brief(told[name])}")
    if not told["failed"] and told["size"] < 1:
        raise ValueError(f"its network has {told['size']} bytes")
    return Trial(**told)
