"""`inputs.json`: the files that a run reads from buckets and hubs, as first found."""

import hashlib
from functools import cached_property
from typing import Annotated

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.contract.base import Contract
from lccp.contract.scalars import Int64


class InputFile(Contract):
    """One file, as described by its bucket or hub."""

    size: Annotated[Int64, Field(ge=0, description="Bytes.")]
    etag: Annotated[
        str | None, Field(description="ETag of the object, or Git's id of the file.")
    ] = None
    sha256: Annotated[
        str | None, Field(description="SHA-256, hexadecimal, if the hub provides it.")
    ] = None


class Input(Contract):
    """A model, or a source of documents."""

    location: Annotated[str, Field(description="As the spec names it.")]
    revision: Annotated[
        str | None, Field(description="Commit of the repository; none: it is in a bucket.")
    ] = None
    path: Annotated[
        str, Field(description="The input's file or folder among `files`; empty: all of them.")
    ] = ""
    files: Annotated[dict[str, InputFile], Field(description="By path.")]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over location, revision and files: equal content, equal digest."""
        lines = [f"{self.location} {self.revision}\n"]
        lines += (f"{n} {f.size} {f.etag} {f.sha256}\n" for n, f in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


class Inputs(StoreObject):
    """The inputs of every attempt of the run: listed once, and the same for all nodes."""

    inputs: Annotated[dict[str, Input], Field(description="By the field that names the location.")]


class Fetched(Contract):
    """How far node 0 has come with fetching the run's inputs from buckets and hubs."""

    size: Annotated[Int64, Field(ge=0, description="Bytes fetched so far.")]
    total: Annotated[Int64, Field(ge=0, description="Bytes in total.")]
