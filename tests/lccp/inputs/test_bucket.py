"""A model and documents from a bucket of a real S3 server."""

from pathlib import Path

import pytest

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.contract.location import BucketLocation
from lccp.inputs.bucket import Bucket
from lccp.inputs.cache import cached
from lccp.inputs.remote import of_a_model
from lccp.store.port import Store

pytestmark = pytest.mark.s3
FIELD = "model.source"
FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "optimizer/x.bin": b"no"}


def test_a_folder_is_fetched_as_far_as_a_model_needs_it(
    bucket: Store, config: StoreConfig, location: BucketLocation, tmp_path: Path
) -> None:
    remote = Bucket(location, config, FIELD)
    folder = cached(remote.find(of_a_model), remote, tmp_path / "cache", FIELD, lambda here: None)

    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_single_object_is_a_file(
    bucket: Store, config: StoreConfig, location: BucketLocation, tmp_path: Path
) -> None:
    one = BucketLocation(location.bucket, f"{location.key}/optimizer/x.bin")
    remote = Bucket(one, config, FIELD)
    path = cached(remote.find(of_a_model), remote, tmp_path / "cache", FIELD, lambda here: None)

    assert path.read_bytes() == b"no"


def test_an_object_that_changed_since_it_was_found_is_refused(
    bucket: Store, config: StoreConfig, location: BucketLocation, tmp_path: Path
) -> None:
    remote = Bucket(location, config, FIELD)
    found = remote.find(of_a_model)
    bucket.put("config.json", b"[]")

    with pytest.raises(InvalidInput, match=r"^model\.source: .*config\.json has changed since"):
        cached(found, remote, tmp_path / "cache", FIELD, lambda here: None)


def test_a_range_that_comes_short_is_no_tokens(
    bucket: Store, config: StoreConfig, location: BucketLocation
) -> None:
    remote = Bucket(location, config, FIELD)
    found = remote.find(of_a_model)
    name = f"{found.path}/config.json"

    assert remote.read(found, name, 1, 1) == b"}"
    with pytest.raises(StoreUnavailable, match=r"config\.json: 1 bytes came instead of 4"):
        remote.read(found, name, 1, 4)


def test_a_key_that_holds_nothing_is_named(config: StoreConfig, location: BucketLocation) -> None:
    with pytest.raises(InvalidInput, match=rf"^model\.source: there is no object {location.url}"):
        Bucket(location, config, FIELD).find(of_a_model)


def test_a_bucket_needs_a_run_whose_store_is_one(location: BucketLocation) -> None:
    with pytest.raises(
        InvalidInput, match=r"needs the run's store to be in S3 too, .* but that is file://"
    ):
        Bucket(location, StoreConfig(url="file:///runs"), FIELD)
