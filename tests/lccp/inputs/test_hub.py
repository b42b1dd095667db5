"""A model and documents from a hub: pinned to a commit, complete; failures are reported."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hub_server import SIGNED, HubServer, hub_server

from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.contract.location import HubLocation, remote_location
from lccp.inputs.cache import cached
from lccp.inputs.hub import (
    TRIES,
    WAIT_SECONDS_MAX,
    Hub,
    retry_after_seconds,
    without_credentials,
)
from lccp.inputs.remote import of_a_model, of_documents
from lccp.logs import LogFormat, configure

pytestmark = pytest.mark.slow

FIELD = "model.source"
MODEL = {
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 4096,
    "tokenizer.json": b"{}",
    "README.md": b"# card",
    "original/consolidated.safetensors": b"another program's",
}
DATA = {
    "README.md": b"# card",
    "train/a.jsonl": b'{"text": "a"}\n',
    "train/.hidden": b"",
    "b": b"b",
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as server:
        server.repository("models/org/base", dict(MODEL))
        server.repository("datasets/org/texts", dict(DATA))
        yield server


def of_hub(hub: HubServer, text: str, endpoint: str | None = None) -> Hub:
    location = remote_location(text)
    assert isinstance(location, HubLocation)
    return Hub(location, FIELD, endpoint or hub.endpoint, backoff_seconds=0.01)


def fetch(hub: HubServer, text: str, folder: Path) -> Path:
    remote = of_hub(hub, text)
    wanted = of_documents if "datasets" in text else of_a_model
    return cached(remote.find(wanted), remote, folder, FIELD, lambda here: None)


def names(folder: Path) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def test_a_model_is_what_lies_at_the_top_of_its_repository(hub: HubServer, tmp_path: Path) -> None:
    folder = fetch(hub, "hf://org/base", tmp_path)

    assert names(folder) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]


def test_a_folder_of_a_data_set_comes_without_hidden_files(hub: HubServer, tmp_path: Path) -> None:
    assert names(fetch(hub, "hf://datasets/org/texts/train", tmp_path)) == ["a.jsonl"]


def test_a_file_of_a_data_set_is_a_file(hub: HubServer, tmp_path: Path) -> None:
    path = fetch(hub, "hf://datasets/org/texts/train/a.jsonl", tmp_path)

    assert path.read_text() == '{"text": "a"}\n'


def test_a_branch_is_pinned_to_its_commit(hub: HubServer, tmp_path: Path) -> None:
    remote = of_hub(hub, "hf://org/base@main")
    found = remote.find(of_a_model)
    repository = hub.repositories["models/org/base"]
    assert found.revision == repository.head

    repository.commit(MODEL | {"config.json": b'{"other": 1}'})

    folder = cached(found, remote, tmp_path, FIELD, lambda here: None)
    assert (folder / "config.json").read_bytes() == MODEL["config.json"]


def test_what_was_fetched_is_not_fetched_again(hub: HubServer, tmp_path: Path) -> None:
    fetch(hub, "hf://org/base", tmp_path)
    fetch(hub, "hf://org/base", tmp_path)

    assert set(hub.requests.values()) == {1}


@pytest.mark.parametrize("fault", ["refusals", "cuts"])
def test_a_hub_that_fails_now_and_then_is_asked_again(
    hub: HubServer, tmp_path: Path, fault: str
) -> None:
    setattr(hub, fault, 2)

    folder = fetch(hub, "hf://org/base", tmp_path)

    assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]


def test_a_hub_that_asks_to_wait_is_asked_again_no_sooner(hub: HubServer, tmp_path: Path) -> None:
    hub.refusals, hub.retry_after = 1, "1"
    began = time.monotonic()

    fetch(hub, "hf://org/base", tmp_path)

    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("86400", WAIT_SECONDS_MAX),
        ("Sat, 28 Nov 2026 12:00:20 GMT", 20),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 29 Nov 2026 12:00:00 GMT", WAIT_SECONDS_MAX),
        ("", 0),
        ("-3", 0),
        ("soon", 0),
        ("nan", 0),
    ],
)
def test_a_wait_is_asked_for_in_seconds_or_by_date_and_is_bounded(
    value: str, seconds: float
) -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)

    assert retry_after_seconds(value, noon) == seconds


def test_a_damaged_file_is_never_used(hub: HubServer, tmp_path: Path) -> None:
    hub.damage.add("model.safetensors")

    with pytest.raises(StoreUnavailable, match=r"model\.safetensors was damaged in transfer"):
        fetch(hub, "hf://org/base", tmp_path)

    hub.damage.clear()
    folder = fetch(hub, "hf://org/base", tmp_path)
    assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hf://org/none", r"the hub shows no such repository: .*HF_TOKEN"),
        ("hf://org/base@v9", "no such revision"),
        ("hf://org/gated", "is gated: accept its terms on the hub"),
        ("hf://org/private", "the hub shows no such repository"),
        ("hf://datasets/org/texts/none", "contains no files"),
    ],
)
def test_what_is_not_there_is_named_in_one_sentence(
    hub: HubServer, tmp_path: Path, text: str, told: str
) -> None:
    hub.repository("models/org/gated", MODEL).gated = True
    hub.repository("models/org/private", MODEL).token = "secret"

    with pytest.raises(InvalidInput, match=rf"^model\.source: .*{told}") as raised:
        fetch(hub, text, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_token_opens_a_private_repository(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repository("models/org/private", MODEL).token = "secret"
    monkeypatch.setenv("HF_TOKEN", "secret")

    assert "config.json" in names(fetch(hub, "hf://org/private", tmp_path))


def test_a_hub_that_does_not_answer_is_named_after_bounded_tries(
    hub: HubServer, tmp_path: Path
) -> None:
    hub.refusals = 1_000

    with pytest.raises(StoreUnavailable, match=f"{hub.endpoint} does not answer, after {TRIES}"):
        fetch(hub, "hf://org/base", tmp_path)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, "the hub answers 400 Bad Request"),
        (416, "the hub answers 416 Requested Range Not Satisfiable"),
        (429, r"does not answer, .*\(429 Too Many Requests\)"),
        (503, r"does not answer, .*\(503 Service Unavailable\)"),
    ],
)
def test_a_signed_url_is_not_told(
    hub: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    status: int,
    told: str,
) -> None:
    configure(LogFormat.TEXT, "INFO")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.storage_status = status

    with pytest.raises((InvalidInput, StoreUnavailable), match=told) as raised:
        fetch(hub, "hf://org/base", tmp_path)
    assert SIGNED not in str(raised.value)
    assert SIGNED not in capfd.readouterr().err


def test_the_password_of_a_mirror_is_not_told(hub: HubServer) -> None:
    hub.refusals = 1_000
    mirror = hub.endpoint.replace("//", "//user:pass@")

    with pytest.raises(StoreUnavailable, match=f"the hub {hub.endpoint} does not") as raised:
        of_hub(hub, "hf://org/base", mirror).find(of_a_model)
    assert "pass" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no URL, user@host, why?", "no URL, user@host, why?"),
        ("at https://u:p@h:1/a?X-Amz-Signature=s&b=c twice", "at https://h:1/a twice"),
        ("'http://h/a?s=1' and http://u@h/b", "'http://h/a' and http://h/b"),
    ],
)
def test_urls_are_told_without_what_opens_them(text: str, told: str) -> None:
    assert without_credentials(text) == told


def test_an_endpoint_that_is_no_url_is_refused_at_once(hub: HubServer) -> None:
    with pytest.raises(InvalidInput, match=r"^model.source: HF_ENDPOINT must begin with https://"):
        of_hub(hub, "hf://org/base", "hub.example.com")
