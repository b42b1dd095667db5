import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import hub_server
from seaweedfs import SeaweedFS

from lccp.contract.errors import InvalidInput
from lccp.store.open import open_store
from lccp_cli.manifest import check_files, fetched_model, load_manifest, model_config


def test_a_number_where_a_manifest_needs_a_string_is_refused_as_by_an_api_server(
    manifest: Callable[..., Path],
) -> None:
    path = manifest()
    path.write_text(path.read_text().replace("'1.5e-4'", "1e-5"))
    with pytest.raises(InvalidInput, match=r"learningRate: must be a decimal number .* in quotes"):
        load_manifest(path)


def test_places_that_are_fetched_later_are_not_looked_for_here(
    manifest: Callable[..., Path],
) -> None:
    sources = [
        {"name": "long", "kind": "Long", "path": "s3://bucket/long"},
        {"name": "short", "kind": "Short", "path": "hf://datasets/org/texts/short"},
    ]
    model = {"source": "hf://org/base", "targetContextLength": 512}
    path = manifest(model=model, data={"sources": sources})

    check_files(load_manifest(path), path)


MODEL = {"config.json": b"{}", "model.safetensors": b"weights", "README.md": b"no"}


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_model_of_a_hub_is_fetched_to_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCCP_CACHE", str(tmp_path / "cache"))
    with hub_server() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        hub.repository("models/org/base", MODEL)
        folder = fetched_model("hf://org/base@main", "MODEL", None)

        assert _names(folder) == ["config.json", "model.safetensors"]
        with pytest.raises(InvalidInput, match=r"^MODEL: hf://org/other: the hub shows no such"):
            fetched_model("hf://org/other", "MODEL", None)


@pytest.mark.s3
def test_a_model_of_a_bucket_is_fetched_to_a_folder_of_its_name(
    seaweedfs: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCCP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.secret_key)
    config = seaweedfs.config(f"{uuid.uuid4().hex}/step-100")
    for name, data in MODEL.items():
        open_store(config).put(name, data)

    folder = fetched_model(config.url, "MODEL", seaweedfs.endpoint)

    assert folder.name == "step-100"
    assert _names(folder) == ["config.json", "model.safetensors"]


def test_a_path_is_taken_as_it_is_and_another_place_is_refused() -> None:
    assert fetched_model("some/model", "MODEL", None) == Path("some/model")
    with pytest.raises(InvalidInput, match=r"^MODEL: https://a/b must be a path, s3://bucket/key"):
        fetched_model("https://a/b", "MODEL", None)


def test_a_model_that_is_elsewhere_may_be_given_by_an_option(
    manifest: Callable[..., Path],
) -> None:
    path = manifest(model={"source": "/elsewhere/model", "targetContextLength": 512})
    run = load_manifest(path)
    with pytest.raises(InvalidInput, match=r"/elsewhere/model: give one with --model$"):
        model_config(run, path, None, None)
    assert model_config(run, path, Path("example/model"), None) == {}
