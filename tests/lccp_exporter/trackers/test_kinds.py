"""Which trackers there are, and what their libraries are told."""

import os
from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp.store.file import FileStore
from lccp_exporter.trackers.kinds import ENVIRONMENT, MLFLOW_URI, tracker_of
from lccp_exporter.trackers.tensorboard import TensorBoard


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENVIRONMENT, MLFLOW_URI):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_tensorboard_writes_into_the_store(tmp_path: Path) -> None:
    assert isinstance(tracker_of("TensorBoard", "p", FileStore(tmp_path), "ns/run/"), TensorBoard)


def test_a_tracker_without_its_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="environment: MLFLOW_TRACKING_URI is not set"):
        tracker_of("MLflow", "p", FileStore(tmp_path), "ns/run/")


@pytest.mark.parametrize("address", ["localhost:5000", "mlruns"])
def test_an_address_without_a_scheme_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(MLFLOW_URI, address)
    with pytest.raises(InvalidInput, match=f"such as http://localhost:5000, not {address}$"):
        tracker_of("MLflow", "p", FileStore(tmp_path), "ns/run/")


def test_waits_are_bounded_unless_somebody_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    tracker_of("TensorBoard", "p", FileStore(tmp_path), "ns/run/")

    expected = ENVIRONMENT | {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    assert {name: os.environ[name] for name in ENVIRONMENT} == expected
