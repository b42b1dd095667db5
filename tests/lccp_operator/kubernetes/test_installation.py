"""The installation's configuration file."""

from pathlib import Path

import pytest

from lccp.api.errors import InvalidInput
from lccp_operator.kubernetes.installation import CONFIG_VARIABLE, Installation

COMPLETE = """
stores: [{name: default, url: "file:///store"}]
trainerImage: t
evaluatorImage: e
operatorImage: o
"""


def load(tmp_path: Path, text: str) -> Installation:
    path = tmp_path / "installation.yaml"
    path.write_text(text)
    return Installation.load({CONFIG_VARIABLE: str(path)})


def test_a_store_is_found_by_its_name(tmp_path: Path) -> None:
    found = load(tmp_path, COMPLETE)

    assert found.store("default") == found.stores[0]
    assert found.store("another") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (COMPLETE.replace("trainerImage: t", ""), "trainerImage: is required"),
        (COMPLETE + "color: blue", "color: there is no such field"),
        (COMPLETE + "lease: {name: a, namespace: b, durationSeconds: 1}", "lease.durationSeconds"),
        ("stores: [", "is not YAML"),
    ],
    ids=["missing", "unknown", "out of range", "no YAML"],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=r"installation\.yaml: ") as refusal:
        load(tmp_path, text)
    assert sentence in str(refusal.value)


def test_a_missing_file_is_named_with_the_variable(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"set {CONFIG_VARIABLE}"):
        Installation.load({CONFIG_VARIABLE: str(tmp_path / "none.yaml")})
