from collections.abc import Callable
from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp_cli.manifest import check_files, documents, load_manifest

SCALARS = [
    ("1e-5", 1e-5),
    ("1.5e-4", 1.5e-4),
    ("2.", 2.0),
    (".5", 0.5),
    ("-3E+2", -300.0),
    ("512", 512),
    ("-0x1F", -31),
    ("2026-01-05", "2026-01-05"),
    ("1:30", "1:30"),
    ("64K", "64K"),
    ('"1e-5"', "1e-5"),
    ("true", True),
    ("null", None),
]


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[row[0] for row in SCALARS])
def test_scalars_are_read_as_kubectl_reads_them(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"value: {text}\n")
    (found,) = documents(path)
    assert (type(found["value"]), found["value"]) == (type(value), value)


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
