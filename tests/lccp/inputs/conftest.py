"""A location in a bucket of a real S3 server, beside the run's store."""

import uuid
from pathlib import Path

import pytest
from seaweedfs import SeaweedFS

from lccp.api.invocation import StoreConfig
from lccp.contract.location import BucketLocation
from lccp.store.open import open_store
from lccp.store.port import Store


@pytest.fixture
def config(seaweedfs: SeaweedFS, tmp_path: Path) -> StoreConfig:
    """Of the run's store, which lies beside what is fetched."""
    return seaweedfs.config("runs", seaweedfs.credentials(tmp_path / "keys"))


@pytest.fixture
def location(seaweedfs: SeaweedFS) -> BucketLocation:
    return BucketLocation(seaweedfs.bucket, f"inputs/{uuid.uuid4().hex}")


@pytest.fixture
def bucket(config: StoreConfig, location: BucketLocation, request: pytest.FixtureRequest) -> Store:
    """What lies at the location: the module's FILES."""
    store = open_store(config.model_copy(update={"url": location.url}))
    for name, data in request.module.FILES.items():
        store.put(name, data)
    return store
