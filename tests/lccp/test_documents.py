import errno
import os
from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp.documents import document_files, form_of


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (["a.jsonl"], "JSONL"),
        (["a.json"], "JSONL"),
        (["a.jsonl.gz", "b.json.gz", "README"], "JSONL"),
        (["a.txt"], "Text"),
        (["data.jsonl", "README.md"], "JSONL"),
        (["notes"], "Text"),
    ],
)
def test_the_form_is_what_names_say(tmp_path, names, form):
    folder = tmp_path / "notes.txt"
    folder.mkdir()
    for name in names:
        (folder / name).touch()

    assert form_of(folder) == form
    assert [form_of(Path(name)) for name in ("a.json", "b.jsonl.gz", "c.md", "d")] == [
        *("JSONL", "JSONL", "Text", "Text")
    ]


def test_files_of_linked_folders_are_found_and_hidden_ones_are_not(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "elsewhere/b.jsonl").touch()
    for name in ("a.jsonl", ".hidden.jsonl", "README.md"):
        (tmp_path / "folder" / name).touch()
    (tmp_path / "folder/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder/loop").symlink_to(tmp_path / "folder")

    found = document_files(tmp_path / "folder", "JSONL", "data.path")
    assert [file.relative_to(tmp_path / "folder").as_posix() for file in found] == [
        "a.jsonl",
        "link/b.jsonl",
    ]


def test_what_is_no_file_is_named_as_such_and_never_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", Path("/dev/null")):
        with pytest.raises(InvalidInput, match=rf"data.path: {path} is neither a file nor a fold"):
            document_files(path, "JSONL", "data.path")


def test_a_path_that_leads_nowhere_says_why(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    told = {"none": "is missing", "file/x": "is missing", "loop": "can't be read: Too many levels"}
    for name, why in told.items():
        with pytest.raises(InvalidInput, match=f"data.path: {tmp_path / name} {why}"):
            document_files(tmp_path / name, "JSONL", "data.path")


def refusing(folders, number):
    """Lists folders as `os.scandir` does, except these, which fail with that error."""
    listed = os.scandir

    def scandir(folder):
        if Path(folder) in folders:
            raise OSError(number, os.strerror(number), str(folder))
        return listed(folder)

    return scandir


def test_a_folder_that_cannot_be_read_is_not_left_out_in_silence(tmp_path, monkeypatch):
    for name in ("lost+found", "closed"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.jsonl").touch()
    closed = [tmp_path / "lost+found"]

    monkeypatch.setattr(os, "scandir", refusing(closed, errno.EACCES))
    assert document_files(tmp_path, "JSONL", "data.path") == [tmp_path / "a.jsonl"]
    closed.append(tmp_path / "closed")
    with pytest.raises(InvalidInput, match="closed: can't be read: Permission denied"):
        document_files(tmp_path, "JSONL", "data.path")


def test_what_a_check_of_the_volume_found_is_no_document_whoever_may_read_it(tmp_path):
    """The documents of a run are the same for every user."""
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found" / "#12.jsonl").touch()
    (tmp_path / "a.jsonl").touch()

    assert document_files(tmp_path, "JSONL", "data.path") == [tmp_path / "a.jsonl"]


def test_an_error_that_may_pass_is_no_invalid_input(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").touch()

    monkeypatch.setattr(os, "scandir", refusing([tmp_path], errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        document_files(tmp_path, "JSONL", "data.path")
