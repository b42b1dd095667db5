"""`checkpoints/<tokens>/manifest.json` and `state/<tokens>/manifest.json`."""

import hashlib
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.api.objects.losses import HeldOutLoss
from lccp.contract.base import Contract
from lccp.contract.scalars import Int64


class FileRecord(Contract):
    """Size and content of one file."""

    size: Annotated[Int64, Field(ge=0, description="Bytes.")]
    sha256: Annotated[str, Field(min_length=64, max_length=64, description="SHA-256, hexadecimal.")]


class Manifest(StoreObject):
    """Makes a checkpoint or a state exist: written last, put-if-absent, so one writer wins."""

    kind: Annotated[Literal["Checkpoint", "State"], Field(description="Which of the two.")]
    tokens: Annotated[Int64, Field(ge=0, description="Tokens trained.")]
    step: Annotated[Int64, Field(ge=0, description="Steps of the optimizer.")]
    writer: Annotated[
        str, Field(description="Directory beside this manifest that holds the files.")
    ]
    files: Annotated[
        dict[str, FileRecord], Field(description="By path below the writer's directory.")
    ]
    tokens_per_source: Annotated[
        dict[str, Int64], Field(description="Tokens trained, by data source.")
    ] = {}
    held_out: Annotated[
        HeldOutLoss | None,
        Field(description="Loss on documents that no step trains on; only for a checkpoint."),
    ] = None
    source_context_length: Annotated[Int64, Field(description="Context before the extension.")]
    target_context_length: Annotated[Int64, Field(description="Context after the extension.")]
    world_size: Annotated[Int64, Field(description="Processes that trained.")] = 1
    versions: Annotated[dict[str, str], Field(description="Versions of the libraries.")] = {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted table of files: equal content, equal digest."""
        lines = (f"{path} {record.sha256}\n" for path, record in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()
