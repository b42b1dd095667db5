"""Errors take one sentence before any process is started; every end has one exit code."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from refusals import objects, said
from trainer_world import World

from lccp.api.exits import ExitCode
from lccp.api.objects.inputs import Inputs
from lccp.contract.errors import LccpError, StoreRefused, StoreUnavailable
from lccp.store.keys import RunKeys
from lccp.store.objects import write
from lccp_trainer.launch import launcher

pytestmark = pytest.mark.slow

KEYS = RunKeys("default", "run")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LCCP_RUN", None, "environment: LCCP_RUN is not set"),
        ("LCCP_RUN", "run", "environment: LCCP_RUN must be namespace/name"),
        ("LCCP_STORE", "{", "environment: LCCP_STORE is not JSON"),
        ("LCCP_ATTEMPT", "0", "environment: attempt: "),
        ("LCCP_POD_UID", "no uid", "writer: 'no uid' is not a UID"),
        ("JOB_COMPLETION_INDEX", "two", "environment: JOB_COMPLETION_INDEX must be a number"),
    ],
)
def test_a_wrong_environment_ends_with_64(
    world: World,
    capsys: pytest.CaptureFixture[str],
    termination_log: Path,
    name: str,
    value: str | None,
    sentence: str,
) -> None:
    environ = {"LCCP_RENDEZVOUS": "host:29400"} | world.environ(world.document())
    environ = {key: text for key, text in environ.items() if key != name or value is not None}
    code = launcher.launch(environ | ({name: value} if value is not None else {}))
    assert code == ExitCode.CONFIGURATION
    assert sentence in said(capsys)
    assert sentence in termination_log.read_text()
    assert objects(world) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LCCP_RENDEZVOUS", "host", "environment: LCCP_RENDEZVOUS must be host:port"),
        ("JOB_COMPLETION_INDEX", "2", "JOB_COMPLETION_INDEX below topology.nodes (2)"),
    ],
)
def test_a_place_that_the_gang_lacks_ends_with_64(
    world: World, capsys: pytest.CaptureFixture[str], name: str, value: str, sentence: str
) -> None:
    environ = {"LCCP_RENDEZVOUS": "host:29400"} | world.environ(world.document())
    assert launcher.launch(environ | {name: value}) == ExitCode.CONFIGURATION
    assert sentence in said(capsys)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (KEYS.identity, "there is no default/run/run.json, which whoever starts a run"),
        (KEYS.control(1), "there is no default/run/control/1.json"),
    ],
)
def test_a_store_that_lacks_the_run_is_the_wrong_place_and_no_fault_of_the_run(
    world: World, capsys: pytest.CaptureFixture[str], key: str, sentence: str
) -> None:
    """Perhaps only for a moment: another attempt is made after a wait."""
    environ = world.environ(world.document())
    world.store.delete(key)
    assert launcher.launch(environ) == ExitCode.STORE_REFUSED
    assert sentence in said(capsys)


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        (KEYS.identity, "{", "default/run/run.json: is not JSON"),
        (KEYS.control(1), '{"schemaVersion": 9}', "control/1.json: has schema version 9"),
        (
            KEYS.control(1),
            '{"schemaVersion": 1, "settings": {"training": {"tokens": "many"}}}',
            "control/1.json: training.tokens: must be a number of tokens",
        ),
    ],
)
def test_a_store_that_does_not_say_what_to_do_ends_with_64(
    world: World, capsys: pytest.CaptureFixture[str], key: str, text: str, sentence: str
) -> None:
    environ = world.environ(world.document())
    world.store.put(key, text.encode())
    assert launcher.launch(environ) == ExitCode.CONFIGURATION
    assert sentence in said(capsys)


class Unusable:
    """A store whose every call fails."""

    url = "s3://bucket"

    def __init__(self, error: LccpError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> None:
            raise self._error

        return call


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StoreUnavailable("store s3://bucket does not answer"), ExitCode.STORE_UNREACHABLE),
        (StoreRefused("store s3://bucket: refuses these credentials"), ExitCode.STORE_REFUSED),
    ],
)
def test_a_store_that_can_not_be_used_is_no_fault_of_the_run(
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    attempt: int,
    error: LccpError,
    expected: ExitCode,
) -> None:
    monkeypatch.setattr(launcher, "open_store", lambda *_: Unusable(error))
    assert launcher.launch(world.environ(world.document(), attempt)) == expected
    assert str(error) in capsys.readouterr().err


def test_a_store_without_credentials_is_no_fault_of_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise StoreRefused("store s3://bucket: has no credentials")

    monkeypatch.setattr(launcher, "open_store", refuse)
    assert launcher.launch(world.environ(world.document())) == ExitCode.STORE_REFUSED
    assert "has no credentials" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "is_pinned", "expected"),
    [
        (StoreUnavailable, False, ExitCode.CONFIGURATION),
        (StoreUnavailable, True, ExitCode.STORE_UNREACHABLE),
        (StoreRefused, False, ExitCode.CONFIGURATION),
        (StoreRefused, True, ExitCode.STORE_REFUSED),
    ],
)
def test_a_hub_or_bucket_that_fails_may_be_misnamed_until_what_lies_there_is_pinned(
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[LccpError],
    is_pinned: bool,
    expected: ExitCode,
) -> None:
    def fail(*_: Any) -> None:
        raise error("model.source: the hub does not answer")

    monkeypatch.setattr(launcher.Fetching, "fetched", fail)
    environ = world.environ(world.document())
    if is_pinned:
        write(world.store, KEYS.inputs, Inputs(inputs={}))

    assert launcher.launch(environ) == expected
    assert "the hub does not answer" in said(capsys)


def test_a_store_that_may_not_be_written_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (world.root / "store").write_text("a file, not a folder")
    assert launcher.launch(world.environ(world.document())) == ExitCode.STORE_REFUSED
    assert str(world.root / "store") in capsys.readouterr().err


LAUNCHED = "import sys; from lccp_trainer.launch import launcher; sys.executable = {!r}; {}"


def test_what_the_gang_leaves_in_its_temporary_folder_is_removed(
    new_world: Callable[[], World], tmp_path: Path
) -> None:
    """A torchrun that ends with a failure leaves a folder of logs."""
    world = new_world()
    torchrun, temporary = tmp_path / "torchrun", tmp_path / "temporary"
    torchrun.write_text("#!/bin/sh\nmktemp -d")
    torchrun.chmod(0o755)
    temporary.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", LAUNCHED.format(str(torchrun), "launcher.main()")],
        env=os.environ | world.environ(world.document()) | {"TMPDIR": str(temporary)},
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, str(temporary) in done.stdout) == (ExitCode.INTERNAL, True)
    assert list(temporary.iterdir()) == []
