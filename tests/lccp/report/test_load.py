import json
import os
from pathlib import Path

import a_run
import pytest

from lccp.api.causes import Cause
from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure
from lccp.contract.errors import Incompatible, InvalidInput
from lccp.report.load import RunData
from lccp.store.file import FileStore

pytestmark = pytest.mark.slow

NEXT_WRITER = "a10-fedcba98"
FUTURE = 4_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path)
    a_run.put(store, a_run.finished())
    return store


def test_a_stored_run_is_read_whole(store: FileStore) -> None:
    data = RunData.from_store(store, a_run.KEYS)
    assert data.title == "default/tiny"
    assert data.reports == a_run.reports()
    assert data.history == a_run.history()
    assert data.verdict == a_run.verdict()
    assert (data.heartbeat, data.journal) == (a_run.heartbeat(), a_run.journal())


def test_losses_on_held_out_documents_are_those_of_the_checkpoints(store: FileStore) -> None:
    for tokens, held_out in ((100, a_run.held_out(100)), (200, None), (300, a_run.held_out(300))):
        manifest = Manifest(
            kind="Checkpoint",
            tokens=tokens,
            step=1,
            writer=a_run.WRITER,
            files={},
            tokens_per_source={"long": tokens},
            held_out=held_out,
            source_context_length=256,
            target_context_length=512,
        )
        store.put(a_run.KEYS.checkpoint_manifest(tokens), manifest.to_json())
    data = RunData.from_store(store, a_run.KEYS)
    assert data.tokens_per_source == {"long": 300}
    assert data.held_out == (a_run.held_out(100), a_run.held_out(300))


def test_a_folder_of_reports_is_a_run(store: FileStore, tmp_path: Path) -> None:
    assert RunData.from_folder(tmp_path).reports == a_run.reports()


def test_steps_that_a_later_attempt_did_again_are_replaced(store: FileStore) -> None:
    again = [line.model_copy(update={"loss": 9.0}) for line in a_run.history()[200:260]]
    text = "".join(json.dumps(line.document()) + "\n" for line in again)
    store.put(a_run.KEYS.history(NEXT_WRITER), text.encode())
    history = RunData.from_store(store, a_run.KEYS).history
    assert [line.step for line in history] == list(range(1, 261))
    assert {line.loss for line in history[200:]} == {9.0}


def test_a_spike_that_a_rewind_followed_stays_with_the_step_that_was_made_again(
    store: FileStore,
) -> None:
    lines = list(a_run.history(100))
    rewound = a_run.SPIKE.model_copy(update={"action": "Rewound"})
    lines[89] = lines[89].model_copy(update={"spike": rewound, "loss": 9.0})
    written = [*lines[:90], *a_run.history(100)[80:]]
    text = "".join(line.model_dump_json(by_alias=True) + "\n" for line in written)
    store.put(a_run.KEYS.history(a_run.WRITER), text.encode())

    history = RunData.from_store(store, a_run.KEYS).history

    assert [line.step for line in history] == list(range(1, 101))
    assert {line.step: line.spike for line in history if line.spike} == {90: rewound}
    assert history[89].loss == a_run.history(100)[89].loss


def test_attempts_are_ordered_by_number(store: FileStore) -> None:
    newest = a_run.heartbeat(42)
    store.put(a_run.KEYS.heartbeat("a2-00000000"), a_run.heartbeat(41).to_json())
    store.put(a_run.KEYS.heartbeat(NEXT_WRITER), newest.to_json())
    assert RunData.from_store(store, a_run.KEYS).heartbeat == newest


def test_an_attempt_that_a_queue_let_in_again_goes_on_in_its_newest_writer(
    store: FileStore, tmp_path: Path
) -> None:
    before, after = "a10-ffffffff", "a10-00000000"
    first, second = a_run.history()[:2]
    for seconds, writer, line in ((1, before, first), (2, after, second)):
        key = a_run.KEYS.history(writer)
        store.put(key, (json.dumps(line.document()) + "\n").encode())
        store.put(a_run.KEYS.heartbeat(writer), a_run.heartbeat(line.step).to_json())
        for path in (tmp_path / key).parent.iterdir():
            os.utime(path, (FUTURE + seconds, FUTURE + seconds))

    data = RunData.from_store(store, a_run.KEYS)

    assert data.heartbeat == a_run.heartbeat(second.step)
    assert [line.step for line in data.history] == [1, 2]


def test_a_failure_shows_only_where_there_is_no_report(store: FileStore) -> None:
    failure = EvaluationFailure(
        cause=Cause.INTERNAL, message="out of luck", exit_code=70, at=a_run.START
    )
    for tokens in (a_run.CHECKPOINTS[0], 999):
        store.put(a_run.KEYS.evaluation_failure(tokens), failure.to_json())
    assert RunData.from_store(store, a_run.KEYS).failures == {999: failure}


def test_a_run_that_is_not_there_is_named(store: FileStore) -> None:
    keys = type(a_run.KEYS)("default", "other")
    with pytest.raises(InvalidInput, match=r"contains no run default/other$"):
        RunData.from_store(store, keys)


def test_a_damaged_object_is_named(store: FileStore) -> None:
    store.put(a_run.KEYS.journal, b'{"schemaVersion": 99}')
    with pytest.raises(InvalidInput, match=r"tiny/journal\.json: has schema version 99"):
        RunData.from_store(store, a_run.KEYS)


def test_a_damaged_verdict_is_as_good_as_none(store: FileStore) -> None:
    store.put(a_run.KEYS.verdict, b"{")
    assert RunData.from_store(store, a_run.KEYS).verdict is None


@pytest.mark.parametrize("line", [b'{"step": 1\n', b"[" * 100_000], ids=["cut short", "too deep"])
def test_a_damaged_line_of_the_history_is_named(store: FileStore, line: bytes) -> None:
    store.put(a_run.KEYS.history(a_run.WRITER), line)
    with pytest.raises(InvalidInput, match=r"history\.jsonl: line 1: is not JSON"):
        RunData.from_store(store, a_run.KEYS)


def test_a_report_of_another_schema_version_is_one_sentence(tmp_path: Path) -> None:
    document = a_run.report(0).document() | {"schemaVersion": 7}
    (tmp_path / "report.json").write_text(json.dumps(document))
    with pytest.raises(Incompatible, match=r"report\.json: has schema version 7"):
        RunData.from_folder(tmp_path)


def test_a_report_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()

    with pytest.raises(InvalidInput, match=r"report\.json: cannot be read: Is a directory"):
        RunData.from_folder(tmp_path)


def test_two_reports_of_one_checkpoint_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_bytes(a_run.report(0).to_json())
    with pytest.raises(InvalidInput, match=r"b/report\.json: is a second report at 0 tokens"):
        RunData.from_folder(tmp_path)


def test_reports_of_other_suites_stand_beside_those_of_the_probes(tmp_path: Path) -> None:
    for suite in (INTRINSIC, ANNEAL, "words"):
        report = a_run.report(0).model_copy(update={"suite": suite})
        (tmp_path / suite).mkdir()
        (tmp_path / suite / "report.json").write_bytes(report.to_json())

    data = RunData.from_folder(tmp_path)

    found = [[one.suite for one in of] for of in (data.reports, data.branches, data.external)]
    assert found == [[INTRINSIC], [ANNEAL], ["words"]]
    assert len(data.all_reports) == 3


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_without_reports_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not a folder|contains no report\.json"):
        RunData.from_folder(tmp_path / name)
