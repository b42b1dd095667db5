"""Where a model or documents are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.contract.location import BucketLocation, HubLocation, remote_location

NAMES = st.text("abcXYZ019._-", min_size=1)
PATHS = st.lists(st.text("abc019._- ", min_size=1), max_size=3).map("/".join)


@pytest.mark.parametrize("text", ["model", "/models/base", "../x", "C:/x", "hf:/org/base"])
def test_a_path_is_no_remote_location(text: str) -> None:
    assert remote_location(text) is None


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("s3://b/k", BucketLocation("b", "k")),
        ("s3://b/models/base/", BucketLocation("b", "models/base")),
        ("hf://org/base", HubLocation("org/base", is_dataset=False)),
        ("hf://org/base@v1", HubLocation("org/base", is_dataset=False, revision="v1")),
        ("hf://org/base@refs", HubLocation("org/base", is_dataset=False, revision="refs")),
        ("hf://org/base/x@refs/a", HubLocation("org/base", is_dataset=False, path="x@refs/a")),
        ("hf://datasets/org/t/a/b", HubLocation("org/t", is_dataset=True, path="a/b")),
    ],
)
def test_a_bucket_and_a_hub_are_told_apart(
    text: str, location: BucketLocation | HubLocation
) -> None:
    assert remote_location(text) == location


@pytest.mark.slow
@given(NAMES, NAMES, st.booleans(), st.none() | NAMES, PATHS)
def test_the_url_of_a_repository_names_it(
    owner: str, name: str, is_dataset: bool, revision: str | None, path: str
) -> None:
    if owner == "datasets" or (revision == "refs" and path):
        return
    location = HubLocation(f"{owner}/{name}", is_dataset, revision, path)

    assert remote_location(location.url) == location


@pytest.mark.slow
@given(NAMES, PATHS.filter(bool))
def test_the_url_of_objects_names_them(bucket: str, key: str) -> None:
    assert remote_location(BucketLocation(bucket, key).url) == BucketLocation(bucket, key)


@pytest.mark.parametrize(
    "text",
    [
        *("s3://b", "s3://b/", "hf://name", "gs://b/k", "hf://a/b@c@d"),
        *("hf://datasets/squad", "hf://datasets/squad/", "hf://datasets/squad@v1/train"),
        *("hf://org/base@refs/pr/1", "hf://datasets/org/t@refs/pr/1"),
    ],
)
def test_what_is_malformed_is_no_location(text: str) -> None:
    assert remote_location(text) is None
