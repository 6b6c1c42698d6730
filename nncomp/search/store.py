"""The folder of a search: each trial is kept as soon as it is done, so that a search can be stopped at any moment."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nncomp.fields import brief, plain
from nncomp.files import write_atomically
from nncomp.files.atomic import remove_partials
from nncomp.search.trial import Trial


@dataclass(frozen=True)
class Store:
    """Trials in files: `trials/KEY.safetensors`, the network, and then `trials/KEY.json`, a line that says it is whole.

    >>> import tempfile
    >>> store = Store.of(tempfile.mkdtemp(), {"seed": 0})
    >>> trial = Trial("a", {"kept": 0.1}, size=3)
    >>> store.write(trial, b"abc")
    >>> store.read("a") == trial, store.content("a")
    (True, b'abc')
    """

    folder: Path

    @classmethod
    def of(cls, folder: str | Path, search: dict[str, Any]) -> "Store":
        """The store in `folder`, made where there is none; a ValueError where another `search` has it."""
        store = cls(Path(folder))
        (store.folder / "trials").mkdir(parents=True, exist_ok=True)
        remove_partials(store.folder)
        remove_partials(store.folder / "trials")
        path, told = store.folder / "search.json", {"version": 1, **search}
        if not path.exists():
            write_atomically(path, (json.dumps(told, indent=1) + "\n").encode())
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != told:
            raise ValueError(
                f"{folder} holds a search of another network, data, seed or space: go on with that one, "
                "or name another folder"
            )
        return store

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

    def content(self, key: str) -> bytes:
        """The content of the trial's network file."""
        return self._file(key, "safetensors").read_bytes()

    def _file(self, key: str, suffix: str) -> Path:
        return self.folder / "trials" / f"{key}.{suffix}"


def _trial(key: str, told: Any) -> Trial:
    hints = {field.name: field.type for field in fields(Trial)}
    if not isinstance(told, dict) or set(told) != set(hints) or told["key"] != key:
        raise ValueError(f"it has {', '.join(hints)}, the key {key}, and not {brief(told)}")
    for name, hint in hints.items():
        if not (isinstance(told[name], dict) if name == "parameters" else plain(told[name], hint)):
            raise ValueError(f"{name} cannot be {brief(told[name])}")
    return Trial(**told)
