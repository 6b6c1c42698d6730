"""Files that are either the old ones, whole, or the new ones, whole, whenever the process or the machine stops."""

import os
import secrets
from pathlib import Path


def write_atomically(path: str | Path, content: bytes) -> int:
    """Write `content` beside `path`, force it to disk, then put it in the place of what was there; returns its length.

    A process killed meanwhile leaves the old file as it was, and at worst a hidden `.*.partial` beside it. A link is
    followed: what it points to is replaced.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "answer"
    >>> write_atomically(file, b"42"), file.read_bytes()
    (2, b'42')
    """
    path = Path(path).resolve()
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the name must survive too; elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return len(content)


def remove_partials(folder: Path) -> None:
    """Remove what writers that were killed left in `folder`; only for a folder nobody else writes to."""
    for partial in folder.glob(".*.partial"):
        partial.unlink(missing_ok=True)
