"""Tokens that stay in a bucket of a real S3 server: index and offsets are fetched, ranges read."""

from pathlib import Path

import pytest

from lccp.api.invocation import StoreConfig
from lccp.api.objects.inputs import Input
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.contract.location import BucketLocation
from lccp.inputs import ranges
from lccp.inputs.bucket import Bucket
from lccp.inputs.cache import cached
from lccp.inputs.ranges import not_here, origin_of, part_of, reader
from lccp.inputs.remote import of_an_index, of_documents
from lccp.store.port import Store

pytestmark = pytest.mark.s3
FIELD = "data.sources[0].path"
TOKENS = bytes(range(200)) * 100
FILES = {"index.json": b"{}", "shard-0.offsets": b"offsets", "shard-0.tokens": TOKENS}


@pytest.fixture
def found(bucket: Store, config: StoreConfig, location: BucketLocation) -> Input:
    return Bucket(location, config, FIELD).find(of_documents)


def test_a_folder_fetched_in_part_notes_where_the_rest_is(
    found: Input, config: StoreConfig, location: BucketLocation, tmp_path: Path
) -> None:
    remote, cache = Bucket(location, config, FIELD), tmp_path / "cache"
    folder = cached(found, remote, cache, FIELD, lambda here: None, of_an_index)
    whole = cached(found, remote, cache, FIELD, lambda here: None)

    named = {path.name for path in folder.iterdir()}
    assert named == {"index.json", "shard-0.offsets", ranges.ORIGIN}
    assert origin_of(folder) == found
    assert origin_of(whole) is None
    assert (whole / "shard-0.tokens").read_bytes() == TOKENS
    assert part_of(found, of_an_index).size == len(b"{}offsets")


def test_an_object_that_is_no_folder_of_tokens_is_left_to_who_reads_it(
    bucket: Store, config: StoreConfig, location: BucketLocation, tmp_path: Path
) -> None:
    one = BucketLocation(location.bucket, f"{location.key}/index.json")
    remote = Bucket(one, config, FIELD)
    found = remote.find(of_documents)
    path = cached(found, remote, tmp_path / "cache", FIELD, lambda here: None, of_an_index)
    assert path.read_bytes() == FILES["index.json"]


def test_a_range_is_read_where_it_is(found: Input, config: StoreConfig) -> None:
    assert reader(config, found)("shard-0.tokens", 300, 50) == TOKENS[300:350]


def test_tokens_that_changed_or_went_since_they_were_found_are_refused(
    found: Input, config: StoreConfig, bucket: Store
) -> None:
    read = reader(config, found)
    bucket.put("shard-0.tokens", TOKENS[::-1])
    with pytest.raises(InvalidInput, match=r"shard-0\.tokens has changed since the run began"):
        read("shard-0.tokens", 0, 4)
    bucket.delete("shard-0.tokens")
    with pytest.raises(InvalidInput, match=r"shard-0\.tokens was deleted: restore it"):
        read("shard-0.tokens", 0, 4)


def test_patience_with_a_bucket_that_is_down_ends(
    found: Input, config: StoreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(self: Bucket, found: Input, name: str, start: int, length: int) -> bytes:
        raise StoreUnavailable("it does not answer")

    monkeypatch.setattr(ranges, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(Bucket, "read", down)
    with pytest.raises(StoreUnavailable):
        reader(config, found)("shard-0.tokens", 0, 4)


def test_who_opened_no_bucket_is_told_where_the_tokens_are(found: Input) -> None:
    with pytest.raises(InvalidInput, match=r"/shard-0\.tokens is only in its bucket"):
        not_here(found)("shard-0.tokens", 0, 4)
