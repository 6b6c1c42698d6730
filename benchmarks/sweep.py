"""Long experiments that survive: a line of JSON for each configuration that is done, appended and forced to disk.

Killed at any moment and started again, a sweep measures what is missing; a last line that was torn is measured anew.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from nncomp.fingerprint import fingerprint


def sweep(
    path: str | Path, configurations: Iterable[dict[str, Any]], measure: Callable[..., dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """`{**configuration, **measure(**configuration)}` for each configuration, in order, as they are done.

    What `path` has a line for is not measured again; a configuration is known by the fingerprint of its values.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _whole_lines(path)
    for configuration in configurations:
        key = fingerprint(configuration)[:16]
        if key not in done:
            done[key] = {"key": key, **configuration, **measure(**configuration)}
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(done[key]) + "\n")
                file.flush()
                os.fsync(file.fileno())
        yield done[key]


def _whole_lines(path: Path) -> dict[str, dict[str, Any]]:
    """The results in the file by key, what follows its last whole line cut off."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    results = (json.loads(line) for line in whole.splitlines())
    return {result["key"]: result for result in results}
