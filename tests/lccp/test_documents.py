from pathlib import Path

import pytest

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
