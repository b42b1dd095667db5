"""The purge deletes the objects of its own run, and reports why it does not."""

from pathlib import Path

import pytest
from operator_world import KEYS, a_small_run

from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import Journal
from lccp.store.file import FileStore
from lccp_operator.observed import Owner
from lccp_operator.plan.acceptance import stored_identity
from lccp_operator.purge import main

OWN, OTHER = "lccp/lccp@11111111", "lccp/lccp@22222222"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path)
    store.put("default/other/run.json", b"{}")
    return store


def purged(store: FileStore, *arguments: str) -> ExitCode:
    told = Invocation(namespace="default", name="tiny", store=StoreConfig(url=store.url))
    return main(told.to_environ(), *arguments)


def claim(store: FileStore, installation: str) -> None:
    identity = stored_identity(a_small_run(), Owner(installation))
    store.put(KEYS.identity, identity.to_json())
    store.put(KEYS.journal, Journal().to_json())


@pytest.mark.parametrize("arguments", [(), (OWN,)])
def test_all_of_its_run_goes_and_nothing_of_another(
    store: FileStore, arguments: tuple[str, ...]
) -> None:
    claim(store, OWN)

    assert purged(store, *arguments) == ExitCode.OK

    assert [info.key for info in store.list("")] == ["default/other/run.json"]


def test_a_run_of_another_installation_is_left(
    store: FileStore, capsys: pytest.CaptureFixture[str]
) -> None:
    claim(store, OTHER)

    assert purged(store, OWN) == ExitCode.CONFIGURATION

    assert len(store.list("default/tiny/")) == 2
    assert f"that installation {OTHER} manages" in capsys.readouterr().err


@pytest.mark.parametrize("key", [KEYS.identity, KEYS.journal])
def test_nothing_goes_while_a_record_of_whose_run_it_is_is_damaged(
    store: FileStore, key: str
) -> None:
    claim(store, OWN)
    store.put(key, b"damaged")

    assert purged(store, OWN) == ExitCode.CONFIGURATION

    assert store.get(key) == b"damaged"
    assert len(store.list("default/tiny/")) == 2


def test_what_says_whose_run_it_is_goes_last(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(store, OWN)
    store.put(f"{KEYS.trainings}a1-00000001/end.json", b"{}")
    gone: list[str] = []
    delete = FileStore.delete
    monkeypatch.setattr(
        FileStore, "delete", lambda own, key: (gone.append(key), delete(own, key))[1]
    )

    assert purged(store, OWN) == ExitCode.OK

    assert gone[-1] == KEYS.identity
    assert len(gone) == 3


def test_what_a_purge_left_is_deleted_by_the_next(store: FileStore) -> None:
    store.put(KEYS.journal, Journal().to_json())
    assert purged(store, OWN) == ExitCode.OK
    assert store.list("default/tiny/") == []
