"""The configuration of the exporter."""

import json
from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp_exporter.config import configuration


def test_stores_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stores.json"
    file.write_text(json.dumps([{"name": "main", "url": "s3://b/p", "endpoint": "http://s3:8333"}]))
    (store,) = configuration([], file).stores
    assert (store.name, store.endpoint) == ("main", "http://s3:8333")


def test_stores_of_urls_are_named_by_them_and_settings_of_none_have_defaults() -> None:
    config = configuration(["file://a", "file://b"], None, port=None, refresh_seconds=2.0)

    assert [store.name for store in config.stores] == ["file://a", "file://b"]
    assert (config.port, config.refresh_seconds) == (9_464, 2.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{name: main}", "must be a list of stores"),
        ("[", "is not YAML"),
        ("- {name: main, url: file://a, url: file://b}", "the key 'url' occurs twice"),
        ("- {name: main}", r"configuration: stores\[0\].url: is required"),
        ("[]", "no store to export: give --store URL or --stores FILE"),
    ],
)
def test_a_file_that_names_no_stores_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "stores.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=sentence):
        configuration([], tmp_path / "stores.yaml")


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="configuration: port: "):
        configuration(["file://a"], None, port=70_000)
