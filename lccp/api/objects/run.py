"""`run.json`: who the run in a store is."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from lccp.api.objects.base import Document, StoreObject, Upgrade


def _names_the_identity(document: Document) -> Document:
    """Version 1 called the identity `immutable`, and counted some of its settings to it."""
    return {("identity" if key == "immutable" else key): v for key, v in document.items()}


class RunIdentity(StoreObject):
    """Identity of the run under a prefix; written once, by whoever comes first."""

    SCHEMA_VERSION: ClassVar[int] = 2
    UPGRADES: ClassVar[dict[int, Upgrade]] = {1: _names_the_identity}

    schema_version: Annotated[int, Field(description="Version of this object's schema.")] = 2
    namespace: Annotated[str, Field(description="Namespace of the run.")]
    name: Annotated[str, Field(description="Name of the run.")]
    digest: Annotated[
        str, Field(description="SHA-256 of the identity as canonical JSON, for display.")
    ] = ""
    installation: Annotated[
        str, Field(description="Installation that carries the run out; empty: a laptop's.")
    ] = ""
    identity: Annotated[
        dict[str, Any], Field(description="The part of the spec whose fields are of that class.")
    ]
