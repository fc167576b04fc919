import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from metaflammation import files
from metaflammation.errors import ExportError


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_text_is_written_in_utf8_and_nothing_else_is_left(tmp_path):
    files.write_text(tmp_path / "a.txt", "µ\n")
    assert (tmp_path / "a.txt").read_bytes() == "µ\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_line_ends_are_kept(tmp_path):
    files.write_text(tmp_path / "a.txt", "a\r\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == b"a\r\nb\n"


def test_path_may_be_a_text(tmp_path):
    files.write_text(str(tmp_path / "a.txt"), "x")
    assert names(tmp_path) == ["a.txt"]


def test_temporary_file_has_the_ending_of_the_target(tmp_path):
    with files.whole_file(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path
        temporary.write_text("x")


def test_file_has_the_permissions_of_any_new_file(tmp_path):
    files.write_text(tmp_path / "a.txt", "x")
    (tmp_path / "b.txt").write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [None, "old"])
def test_error_while_writing_leaves_what_was_there(tmp_path, error, old):
    path = tmp_path / "a.txt"
    if old:
        path.write_text(old)

    def write_half():
        with files.whole_file(path, overwrite=True) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert names(tmp_path) == (["a.txt"] if old else [])
    assert not old or path.read_text() == old


def test_existing_file_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ExportError, match=r"a\.txt: exists already; .*--force"):
        files.write_text(path, "new")
    assert path.read_text() == "old"


def test_existing_file_is_replaced_when_told(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    files.write_text(path, "new", overwrite=True)
    assert path.read_text() == "new"


def test_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "a.txt"

    def write_while_another_does():
        with files.whole_file(path) as temporary:
            temporary.write_text("mine")
            path.write_text("theirs")

    with pytest.raises(ExportError, match="exists already"):
        write_while_another_does()
    assert path.read_text() == "theirs"


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_as_target_is_refused(tmp_path, overwrite):
    with pytest.raises(ExportError, match="is a folder; name a file"):
        files.write_text(tmp_path, "x", overwrite=overwrite)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ExportError, match=r"the folder .*nowhere does not exist"):
        files.write_text(tmp_path / "nowhere" / "a.txt", "x")


def test_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
    with pytest.raises(ExportError, match=r"a\.txt: cannot be written \(Permission denied\)"):
        files.write_text(tmp_path / "a.txt", "x")


def test_full_disk_is_an_error_of_ours_and_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    with pytest.raises(ExportError, match="No space left on device"):
        files.write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == []


KILLED = """
import os, signal, sys
from metaflammation import files
with files.whole_file(sys.argv[1], overwrite=True) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("old", [None, "old"])
def test_killed_process_leaves_the_old_file_or_none(tmp_path, old):
    path = tmp_path / "a.txt"
    if old:
        path.write_text(old)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (path.read_text() if path.exists() else None) == old


def test_umask_is_left_as_it_was(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a.txt", "x")
        assert os.umask(0o027) == 0o027
        assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("at_once", [True, False], ids=["exchanged", "renamed twice"])
def test_folder_is_replaced_and_keeps_what_else_lies_in_it(at_once, tmp_path, monkeypatch):
    folder = tmp_path / "x"
    files.write_folder(folder, {"a": "1", "b": "1"})
    (folder / "mine").write_text("mine", "utf-8")
    if at_once:
        # A single step: there is no moment without a folder of that name.
        monkeypatch.setattr(Path, "replace", None)
    else:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    files.write_folder(folder, {"a": "2", "c": "2"}, overwrite=True, replacing=["b"])
    assert {p.name: p.read_text("utf-8") for p in folder.iterdir()} == {"a": "2", "c": "2", "mine": "mine"}
    assert names(tmp_path) == ["x"]
