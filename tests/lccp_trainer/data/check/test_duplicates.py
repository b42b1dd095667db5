"""Documents that occur twice in the data are counted where they occur again."""

from pathlib import Path

from token_shards import shards_of

from lccp_trainer.data.check.duplicates import Repeated, originals, repeated


def test_a_document_counts_from_the_second_time_on_in_whichever_source(tmp_path: Path) -> None:
    first = shards_of(tmp_path / "a", [[1, 2], [3]], [[4, 5, 6], [1, 2]])
    second = shards_of(tmp_path / "b", [[3], [3], [7]])
    assert repeated([first, second], originals([first, second])) == [
        Repeated(1, 2, "document 2 of file-1 repeats document 1 of file-0"),
        Repeated(2, 2, "document 1 of file-0 repeats document 2 of file-0"),
    ]


def test_the_same_tokens_cut_elsewhere_are_other_documents(tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "a", [[1, 2], [1], [2], [2, 1], [1, 2, 0]])
    assert repeated([shards], originals([shards])) == [Repeated(0, 0, None)]
