"""The target of a command."""

from pathlib import Path

import a_run
import pytest

from lccp.contract.errors import InvalidInput
from lccp.store.file import FileStore
from lccp_cli.target import load_target


@pytest.mark.slow
def test_a_folder_with_its_identity_is_a_run(stored: Path) -> None:
    target = load_target(str(stored))

    assert (target.prefix, target.folder) == ("default/tiny/", stored)
    assert target.data.identity == a_run.identity()
    assert target.store.url == f"file://{stored.parents[1]}"


@pytest.mark.slow
def test_a_run_of_a_store_has_no_folder(stored: Path) -> None:
    target = load_target(f"file://{stored.parents[1]}/default/tiny/")

    assert (target.prefix, target.folder) == ("default/tiny/", None)
    assert target.data.title == "default/tiny"


@pytest.mark.slow
def test_a_folder_of_reports_is_the_store_of_what_lies_beside_them(stored: Path) -> None:
    folder = stored / "evaluations"
    target = load_target(str(folder))

    assert (target.prefix, target.folder) == ("", folder)
    assert isinstance(target.store, FileStore)
    assert len(target.data.reports) == len(a_run.CHECKPOINTS)
    assert target.data.identity is None


@pytest.mark.parametrize("text", ["s3://b", "file:///x", "s3://b/", "file://runs//x"])
def test_a_url_that_names_no_run_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="must be <store URL>/<namespace>/<name>"):
        load_target(text)
