"""What identifies a checkpoint: the digest of its files."""

from typing import Any

import pytest

from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.contract.errors import InvalidInput

ONE, OTHER = FileRecord(size=1, sha256="1" * 64), FileRecord(size=2, sha256="2" * 64)


def a_manifest(files: dict[str, Any], **changes: Any) -> Manifest:
    base = {"kind": "Checkpoint", "tokens": 8, "step": 1, "writer": "a1-0123abcd"}
    lengths = {"source_context_length": 256, "target_context_length": 512}
    return Manifest(files=files, **base | lengths | changes)


def test_equal_content_has_an_equal_digest_whoever_wrote_it() -> None:
    one = a_manifest({"a": ONE, "b": OTHER})
    again = a_manifest({"b": OTHER, "a": ONE}, writer="a2-4567abcd", step=9)

    assert one.digest == again.digest
    assert len(one.digest) == 64


@pytest.mark.parametrize("files", [{"a": ONE}, {"a": OTHER, "b": ONE}, {"a": ONE, "c": OTHER}, {}])
def test_other_content_or_another_name_has_another(files: dict[str, FileRecord]) -> None:
    assert a_manifest(files).digest != a_manifest({"a": ONE, "b": OTHER}).digest


def test_a_digest_that_is_cut_is_no_record() -> None:
    with pytest.raises(InvalidInput, match="m: sha256: string should have at least 64"):
        FileRecord.parse({"size": 1, "sha256": "1" * 63}, "m")
