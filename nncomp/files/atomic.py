"""Files that are either the old ones, whole, or the new ones, whole, whenever the process or the machine stops."""

import os
import secrets
from pathlib import Path


def write_atomically(path: str | Path, content: bytes) -> int:
    """Write `content` beside `path`, force it to disk, then put it in the place of what was there; returns its length.

    A process killed meanwhile leaves the old file as it was, and at worst a hidden `.*.partial` beside it. A link is
    followed: what it points to is replaced. A folder, a device or a pipe is refused with an OSError.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "answer"
    >>> write_atomically(file, b"42"), file.read_bytes()
    (2, b'42')
    """
    path = Path(path).resolve()
    check_replaceable(path)
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # not of a name that nobody knows
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return len(content)


def replace(source: Path, target: Path) -> None:
    """Put a file of the same disk in the place of another, and force its new name to disk."""
    os.replace(source, target)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_replaceable(path: Path) -> None:
    """Raise an OSError if something other than a file is at `path`."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and the file of that name goes there")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is a device or a pipe, not a file that could be replaced")


def remove_partials(folder: Path) -> None:
    """Remove what writers that were killed left in `folder`; only for a folder nobody else writes to."""
    for partial in folder.glob(".*.partial"):
        partial.unlink(missing_ok=True)
