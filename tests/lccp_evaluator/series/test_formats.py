from pathlib import Path

import pytest
from foreign import a_foreign_checkpoint

from lccp.contract.errors import InvalidInput
from lccp_evaluator.series.conversion import Conversion
from lccp_evaluator.series.formats import Foreign, HuggingFace


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    return Foreign(Conversion("make {input} {output}", tmp_path / "cache"))


def test_foreign_checkpoints_are_the_folders_of_a_folder(foreign: Foreign, tmp_path: Path) -> None:
    folder = tmp_path / "dcp"
    for name in ("step-1", "step-2", ".tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "notes.txt").touch()
    (folder / "latest").symlink_to("step-2")
    assert foreign.found(folder) == [folder / "step-1", folder / "step-2"]
    with pytest.raises(InvalidInput, match="can't be read as a folder"):
        foreign.found(folder / "notes.txt")


def test_all_files_of_a_foreign_checkpoint_count(foreign: Foreign, tmp_path: Path) -> None:
    path = tmp_path / "step-1"
    (path / "shards").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="contains no file yet"):
        foreign.check_whole(path)
    (path / "shards" / "a").write_text("12")
    (path / ".metadata").write_text("1")
    foreign.check_whole(path)
    assert {name: stamp.size for name, stamp in foreign.stamps(path).items()} == {
        "shards/a": 2,
        ".metadata": 1,
    }
    with pytest.raises(InvalidInput, match="can't be read"):
        foreign.stamps(tmp_path / "gone")


def test_a_hugging_face_directory_is_its_own_model(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.json").write_text("{}")
    (tmp_path / "b").mkdir()
    form = HuggingFace()
    assert form.found(tmp_path) == [tmp_path / "a"]
    assert form.model(tmp_path / "a") == tmp_path / "a"
    a_foreign_checkpoint(tmp_path / "a")
    assert form.converted(tmp_path / "a", form.stamps(tmp_path / "a"))
    assert not form.converted(tmp_path / "a", {})


def test_where_there_is_no_model_what_could_be_one_is_shown(tmp_path: Path) -> None:
    (tmp_path / "step-1").mkdir()
    (tmp_path / "step-1" / ".metadata").touch()
    assert HuggingFace().found(tmp_path) == [tmp_path / "step-1"]

    a_foreign_checkpoint(tmp_path / "step-1-hf")
    assert HuggingFace().found(tmp_path) == [tmp_path / "step-1-hf"]
