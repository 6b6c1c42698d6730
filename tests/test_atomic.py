"""Written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from nncomp.files.atomic import remove_partials, write_atomically


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"old", b"", b"newer and longer"):
        assert write_atomically(file, content) == len(content)
        assert file.read_bytes() == content and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    file = tmp_path / "file"
    file.write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_it_is_on_disk_before_it_has_the_name_and_the_name_is_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for call in ("fsync", "replace"):
        original = getattr(os, call)
        monkeypatch.setattr(os, call, lambda *a, call=call, original=original: (calls.append(call), original(*a)))
    write_atomically(tmp_path / "file", b"new")
    assert calls == ["fsync", "replace", "fsync"] if os.name == "posix" else ["fsync", "replace"]


def test_a_link_is_followed_and_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"
    for path, error in ((tmp_path, OSError), (tmp_path / "none" / "file", FileNotFoundError)):
        with pytest.raises(error):
            write_atomically(path, b"new")
    assert sorted(os.listdir(tmp_path)) == ["link", "real"] and (tmp_path / "real").read_bytes() == b"new"


def test_leftovers_of_killed_writers_are_swept(tmp_path: Path) -> None:
    for name in (".0123.partial", "kept.partial", ".hidden"):
        (tmp_path / name).touch()
    remove_partials(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "kept.partial"]


def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_folder_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, words in (("pipe", "is a device or a pipe"), ("folder", "is a folder, and the file of that name")):
        with pytest.raises(OSError, match=words):
            write_atomically(tmp_path / name, b"new")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none/file'") as error:
        write_atomically(tmp_path / "none" / "file", b"new")
    assert ".partial" not in str(error.value)
