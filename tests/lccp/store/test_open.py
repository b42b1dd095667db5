"""From a configuration to a working store."""

import os
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import InvalidInput, StoreRefused
from lccp.store.file import FileStore
from lccp.store.open import open_store, probe
from lccp.store.port import Store
from lccp.store.s3.store import S3Store


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file://runs", "runs"),
        ("file://runs/below", "runs/below"),
        ("file://./runs", "runs"),
        ("file://a%20b", "a b"),
    ],
)
def test_a_relative_folder_starts_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store(StoreConfig(url=url)).put("a", b"1")
    assert (tmp_path / folder / "a").read_bytes() == b"1"


def test_a_relative_folder_starts_from_the_base_directory(tmp_path: Path) -> None:
    open_store(StoreConfig(url="file://runs"), tmp_path / "base").put("a", b"1")
    assert (tmp_path / "base" / "runs" / "a").read_bytes() == b"1"


def test_an_absolute_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    store = open_store(StoreConfig(url=f"file://{tmp_path}/x"), Path("elsewhere"))
    assert isinstance(store, FileStore)
    assert store.url == f"file://{tmp_path}/x"


def test_a_store_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(StoreConfig(url="file://runs"))
    monkeypatch.chdir(os.sep)
    store.put("a", b"1")
    assert (tmp_path / "runs" / "a").exists()


def test_a_bucket_with_a_prefix_opens_without_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    store = open_store(StoreConfig(url="s3://bucket/a/b/", endpoint="http://127.0.0.1:1"))
    assert isinstance(store, S3Store)
    assert store.url == "s3://bucket/a/b"


@pytest.mark.parametrize(
    "url", ["", "runs", "/runs", "file://", "s3://", "gs://bucket", "http://x"]
)
def test_an_unknown_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"must be file:///folder, file://folder or s3://bucket"):
        open_store(StoreConfig(url=url))


def test_a_good_store_passes_the_probe_and_keeps_nothing_of_it(store: Store) -> None:
    probe(store)
    probe(store, below="ns/run/")
    assert store.list("") == []


class ReadOnly(FileStore):
    """A store that names what it refuses to write."""

    def put_if_absent(self, key: str, data: bytes) -> str:
        raise StoreRefused(f"{self.url}: {key}: read-only")


def test_a_probe_that_is_refused_says_the_same_each_time(tmp_path: Path) -> None:
    store = ReadOnly(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreRefused, match=rf"^file://{tmp_path}: ns/\.probe: read-only$"):
            probe(store, below="ns/")


@pytest.mark.s3
@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_a_store_that_ignores_conditions_is_refused(
    faulty_store: S3Store, proxy: FaultyProxy, header: str
) -> None:
    proxy.dropped = {header}
    with pytest.raises(InvalidInput, match=rf"^store s3://lccp/\S+ ignores {header}: "):
        probe(faulty_store)
    proxy.dropped = set()
    assert faulty_store.list("") == []
