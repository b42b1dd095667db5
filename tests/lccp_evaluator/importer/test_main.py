"""The importer's process: what it reads from environment and store, and how it ends."""

import logging
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from a_run import assign
from foreign import a_foreign_checkpoint
from operator_world import an_attached_run
from seaweedfs import SeaweedFS

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.identity import merged
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import Control
from lccp.api.objects.training import End, Heartbeat
from lccp.api.run import LCCPRun
from lccp.contract.errors import StoreRefused
from lccp.signals import SignalEvent
from lccp.store import objects
from lccp.store.directory import upload_directory
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.open import open_store
from lccp.store.port import Entry
from lccp.store.s3.credentials import KEYS as KEYS_OF_THE_ENVIRONMENT
from lccp_evaluator.checkpoint import read_manifest
from lccp_evaluator.importer import main
from lccp_evaluator.importer.main import run
from lccp_evaluator.series.files import digest

KEYS = RunKeys("default", "tiny")
UID = "0123abcd-0000-0000-0000-000000000000"


class World:
    """A store as the operator leaves it for attempt 1, and a folder of another trainer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "store").mkdir()
        self.use(StoreConfig(url=(root / "store").as_uri()))

    def use(self, config: StoreConfig) -> None:
        """Take another store."""
        self.config, self.store = config, open_store(config)

    def imported(self, ended: SignalEvent | None = None, **source: Any) -> ExitCode:
        self.assign(**source)
        return run(self.environ, ended or SignalEvent())

    def assign(self, **source: Any) -> None:
        document = an_attached_run().document()
        document["spec"]["source"] |= {"path": "checkpoints", "untilTokens": 50} | source
        assign(self.store, LCCPRun.parse(document, "run"))

    @property
    def environ(self) -> dict[str, str]:
        return Invocation(
            namespace="default",
            name="tiny",
            store=self.config,
            pod_uid=UID,
            base_directory=str(self.root),
        ).to_environ()

    def foreign(self, name: str, step: int | None = None) -> Path:
        return a_foreign_checkpoint(self.root / "checkpoints" / name, state=step)

    @property
    def end(self) -> End:
        return objects.read(self.store, KEYS.end("a1-0123abcd"), End)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_steps_are_counted_in_tokens(world: World) -> None:
    world.foreign("checkpoint-5", step=5)

    assert world.imported(tokens={"tokensPerStep": 10}) is ExitCode.OK
    assert (world.end.result, world.end.tokens) == (Cause.COMPLETED, 50)


def test_tokens_are_read_from_an_index_and_a_marker_makes_complete(world: World) -> None:
    path = world.foreign("last")
    (path / "DONE").touch()
    (path.parent / "tokens.yaml").write_text("last: 60\n")

    code = world.imported(tokens={"index": "tokens.yaml"}, complete={"marker": "DONE"})

    assert code is ExitCode.OK
    assert world.end.tokens == 60


def test_an_index_that_names_a_directory_twice_is_told_until_it_is_mended(world: World) -> None:
    folder = world.foreign("last").parent
    (folder / "tokens.yaml").write_text("last: 60\nlast: 70\n")
    world.assign(tokens={"index": "tokens.yaml"})
    objects.write(
        world.store,
        KEYS.control(1),
        objects.read(world.store, KEYS.control(1), Control).model_copy(update={"request": "Drain"}),
    )

    assert run(world.environ, SignalEvent()) is ExitCode.OK
    problem = objects.read(world.store, KEYS.heartbeat("a1-0123abcd"), Heartbeat).problem
    assert problem is not None
    assert "line 2: is not YAML: the key 'last' occurs twice" in problem


def test_a_checkpoint_of_another_format_is_converted_first(world: World) -> None:
    folder = world.root / "checkpoints" / "step-5"
    a_foreign_checkpoint(folder / "inner")
    (folder / "DONE").touch()

    code = world.imported(
        tokens={"tokensPerStep": 10},
        complete={"marker": "DONE"},
        convert="cp -r {input}/inner/. {output}",
    )

    assert code is ExitCode.OK
    assert world.end.tokens == 50


def test_the_output_of_a_failed_conversion_is_in_the_importers_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    folder = world.root / "checkpoints" / "step-5"
    a_foreign_checkpoint(folder / "inner")
    (folder / "DONE").touch()
    ended = SignalEvent()

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "no such tensor" in record.getMessage():
                ended.set()

    told = Told()
    logging.getLogger("lccp_evaluator.importer").addHandler(told)
    code = world.imported(
        ended,
        tokens={"tokensPerStep": 10},
        complete={"marker": "DONE"},
        convert="sh -c 'echo no such tensor; exit 3' {input} {output}",
    )
    logging.getLogger("lccp_evaluator.importer").removeHandler(told)

    assert code is ExitCode.TERMINATED


def test_what_was_converted_and_copied_is_not_converted_again_by_the_next_importer(
    world: World,
) -> None:
    folder = world.root / "checkpoints" / "step-5"
    a_foreign_checkpoint(folder / "inner")
    (folder / "DONE").touch()
    log = world.root / "converted"
    command = f"sh -c 'echo once >> {log}; cp -r {{input}}/inner/. {{output}}'"

    for _ in range(2):
        code = world.imported(
            tokens={"tokensPerStep": 10}, complete={"marker": "DONE"}, convert=command
        )
        assert code is ExitCode.OK
    assert log.read_text() == "once\n"


@pytest.mark.slow
def test_quiet_seconds_that_are_given_count_where_there_is_a_trainers_state(world: World) -> None:
    world.foreign("checkpoint-5", step=5)
    ended = SignalEvent()
    threading.Timer(3, ended.set).start()

    code = world.imported(ended, tokens={"tokensPerStep": 10}, complete={"quietSeconds": 86_400})

    assert code is ExitCode.TERMINATED
    assert not world.store.list(KEYS.checkpoints)


def test_fields_that_it_does_not_know_are_told(world: World) -> None:
    world.foreign("checkpoint-5", step=5)
    world.assign(tokens={"tokensPerStep": 10})
    control = objects.read(world.store, KEYS.control(1), Control)
    settings = merged(control.settings or {}, {"checkpoints": {"ofTomorrow": 1}})
    newer = control.model_copy(update={"settings": settings})
    objects.write(world.store, KEYS.control(1), newer)

    assert run(world.environ, SignalEvent()) is ExitCode.OK

    beat = objects.read(world.store, KEYS.heartbeat("a1-0123abcd"), Heartbeat)
    assert beat.unknown_fields == ("checkpoints.ofTomorrow",)


def test_a_command_that_is_none_is_wrong_input(world: World) -> None:
    assert world.imported(convert="convert '{input} {output}") is ExitCode.CONFIGURATION
    assert (world.end.message or "").startswith("spec.source.convert: is not a command")
    assert world.end.result is Cause.CONFIGURATION
    assert "is not a command" in world.end.message


def test_without_its_objects_in_the_store_it_says_what_is_missing(world: World) -> None:
    assert run(world.environ, SignalEvent()) is ExitCode.STORE_REFUSED
    assert "control/1.json" in world.end.message


def test_a_store_that_refuses_is_no_fault_of_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(FileStore):
        def get_entry(self, key: str) -> Entry:
            raise StoreRefused("store s3://lccp: refuses these credentials (AccessDenied)")

        get = get_entry  # type: ignore[assignment]

    monkeypatch.setattr(main, "open_store", lambda *_: Refusing(world.root / "store"))

    assert world.imported() == ExitCode.STORE_REFUSED
    (key,) = (info.key for info in world.store.list(KEYS.prefix) if info.key.endswith("end.json"))
    assert objects.read(world.store, key, End).result is Cause.STORE_REFUSED


def test_without_credentials_for_the_store_it_is_no_fault_of_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS_OF_THE_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    world.config = StoreConfig(url="s3://lccp")

    assert run(world.environ, SignalEvent()) == ExitCode.STORE_REFUSED


def test_an_environment_that_names_no_run_is_refused() -> None:
    assert run({}, SignalEvent()) is ExitCode.CONFIGURATION


@pytest.mark.s3
def test_checkpoints_in_a_bucket_are_reached_as_the_store_is(
    seaweedfs: SeaweedFS, world: World
) -> None:
    keys = seaweedfs.credentials(world.root / "keys")
    config = seaweedfs.config(f"runs/{uuid.uuid4().hex}", keys)
    theirs = config.model_copy(update={"url": config.url.replace("/runs/", "/theirs/")})
    path = world.foreign("last")
    upload_directory(open_store(theirs), path, "last")
    open_store(theirs).put("tokens.yaml", b"last: 60")
    open_store(theirs).put("last/DONE", b"")
    world.use(config)

    code = world.imported(
        path=theirs.url, tokens={"index": "tokens.yaml"}, complete={"marker": "DONE"}
    )

    assert code is ExitCode.OK
    assert world.end.tokens == 60
    manifest = read_manifest(world.store, KEYS, 60)
    assert manifest.digest == digest(path)


def test_a_bucket_is_refused_where_the_store_is_a_folder(world: World) -> None:
    assert world.imported(path="s3://bucket/checkpoints") is ExitCode.CONFIGURATION
    assert world.end.message is not None
    assert world.end.message.startswith(
        "spec.source.path: s3://bucket/checkpoints needs the run's store to be in S3 too"
    )
