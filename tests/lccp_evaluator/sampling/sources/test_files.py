import pytest

from lccp.contract.errors import Incompatible
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.header import Header
from lccp_evaluator.sampling.sources.files import Files

FIELD = "evaluation.probes.niah.haystack.path"
FOLDER = Documents(path="texts", format="Text")


@pytest.fixture
def read(tmp_path):
    """The record of the first two of three files, and of no later file."""
    (tmp_path / "texts").mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / "texts" / name).write_text(name)
    files = Files(tmp_path)
    opened = files.opened(FOLDER, FIELD)
    next(opened), next(opened)
    return files


def check(tmp_path, read):
    header = Header(
        probe="niah",
        version=1,
        settings={},
        tokenizer_digest="",
        vocabulary=1,
        files=read.read,
        whole=tuple(read.whole),
    )
    Files(tmp_path).check(header, {FIELD: FOLDER}, "own/samples/niah")


def test_what_was_read_is_remembered_by_field_and_name(read):
    found = {field: list(names) for field, names in read.read.items()}
    assert found == {FIELD: ["a.txt", "b.txt"]}
    assert read.whole == []


def test_files_of_another_form_are_left_out_and_told(tmp_path):
    (tmp_path / "texts").mkdir()
    for name in ("a.jsonl", "README.md", "notes.csv"):
        (tmp_path / "texts" / name).write_text("{}")
    files = Files(tmp_path)

    assert [file.name for file in files.opened(Documents(path="texts"), FIELD)] == ["a.jsonl"]
    (note,) = files.notes
    assert note.startswith(f"{FIELD}: 2 files are left out, README.md among them: names of JSONL")


def edit(folder):
    (folder / "b.txt").write_text("other text")


def lose(folder):
    (folder / "a.txt").unlink()


def add_before(folder):
    (folder / "a0.txt").write_text("a further one")


@pytest.mark.parametrize(("change", "name"), [(edit, "b"), (lose, "a"), (add_before, "a0")])
def test_another_text_than_the_samples_were_drawn_from_is_refused(tmp_path, read, change, name):
    change(tmp_path / "texts")

    sentence = rf"^{FIELD}: .*texts/{name}.txt is not what the samples in own/samples/niah were"
    with pytest.raises(Incompatible, match=sentence + r" drawn from: .*\(--out\)"):
        check(tmp_path, read)


def test_a_file_at_the_end_counts_where_all_were_read(tmp_path, read):
    files = Files(tmp_path)
    assert len(list(files.opened(FOLDER, FIELD))) == 3
    check(tmp_path, files)
    (tmp_path / "texts/d.txt").write_text("a further one")

    check(tmp_path, read)
    with pytest.raises(Incompatible, match=r"texts/d.txt is not what the samples in own/"):
        check(tmp_path, files)


def test_files_that_were_not_needed_may_change_and_all_may_be_gone(tmp_path, read):
    check(tmp_path, read)
    (tmp_path / "texts/c.txt").unlink()
    check(tmp_path, read)
    (tmp_path / "texts").rename(tmp_path / "gone")
    check(tmp_path, read)
