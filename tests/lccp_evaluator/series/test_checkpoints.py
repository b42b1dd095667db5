from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp_evaluator.series.checkpoints import directories, series_of, without_models
from lccp_evaluator.series.tokens import TokenCounts

COUNTS = TokenCounts(per_step=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three checkpoints, other files beside them, and a link to the newest."""
    for name in ("checkpoint-900", "checkpoint-1000", "checkpoint-20"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "runs").mkdir()
    (tmp_path / "notes.txt").write_text("none of them")
    (tmp_path / "latest").symlink_to(tmp_path / "checkpoint-1000")
    return tmp_path


def test_a_folder_of_checkpoints_is_a_series_by_tokens(folder: Path) -> None:
    found = series_of([folder], None, COUNTS)

    assert [(one.path.name, one.tokens) for one in found] == [
        ("checkpoint-20", 200),
        ("checkpoint-900", 9_000),
        ("checkpoint-1000", 10_000),
    ]


def test_counts_are_those_of_the_directories_in_the_order_given(folder: Path) -> None:
    given = [folder / "checkpoint-900", folder / "checkpoint-20"]

    assert [(o.path, o.tokens) for o in series_of(given, [7, 3], COUNTS)] == [
        (given[1], 3),
        (given[0], 7),
    ]
    with pytest.raises(InvalidInput, match="--tokens: gives 1 counts for 2 checkpoints"):
        series_of(given, [7], COUNTS)


def test_a_checkpoint_that_is_named_twice_is_not_counted_twice(folder: Path) -> None:
    given = [folder / "checkpoint-900", folder / "checkpoint-1000", folder / "latest"]

    with pytest.raises(InvalidInput, match=r"--tokens: .*latest is named twice"):
        series_of(given, [1, 2, 3], COUNTS)


def test_counts_are_not_given_to_a_folder_which_has_no_order(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--tokens: .* is a folder of checkpoints, .*--index"):
        series_of([folder], [20, 900, 1000], COUNTS)


def test_two_of_the_same_tokens_are_named(folder: Path) -> None:
    counts = TokenCounts({"checkpoint-900": 200}, 10)

    with pytest.raises(InvalidInput, match=r"checkpoint-20.* and .*900: are both of 200 tokens"):
        series_of([folder], None, counts)


@pytest.mark.parametrize("name", ["runs", "notes.txt", "nowhere"])
def test_where_there_is_no_checkpoint_it_is_said(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{name}: (contains no model directory|can't be read)"):
        series_of([folder / name], None, COUNTS)


def test_what_may_not_be_entered_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "lost+found").mkdir()
    is_file = Path.is_file

    def denied(path: Path) -> bool:
        if path.parent.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", denied)
    assert len(directories([folder])) == 3
    with pytest.raises(InvalidInput, match=r"lost\+found: contains no model directory"):
        series_of([folder / "lost+found"], None, COUNTS)


def test_a_model_is_itself(folder: Path) -> None:
    assert directories([folder / "checkpoint-20"]) == [folder / "checkpoint-20"]


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """The output of a trainer of adapters."""
    for name in ("checkpoint-10", "checkpoint-20"):
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / "adapter_config.json").touch()
    (tmp_path / "run" / "logs").mkdir()
    (tmp_path / "run" / "logs" / "events").touch()
    return tmp_path / "run"


def test_checkpoints_of_another_format_are_told_from_other_folders(adapters: Path) -> None:
    (adapters / "step-30").mkdir()
    assert [path.name for path in without_models(adapters)] == ["checkpoint-10", "checkpoint-20"]

    (adapters / "step-30" / "weights").touch()
    assert [path.name for path in without_models(adapters)][-1] == "step-30"


@pytest.mark.parametrize("name", ["", "checkpoint-10"])
def test_a_series_of_another_format_is_refused_by_its_name(adapters: Path, name: str) -> None:
    told = r"checkpoint-10: contains no config.json, but an adapter \(adapter_config.json\): merge"
    with pytest.raises(InvalidInput, match=told):
        series_of([adapters / name], None, COUNTS)
