"""`run.json`, the identity of a stored run, and the mark of an installation in a store."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from lccp.api.objects.base import Document, StoreObject, Upgrade
from lccp.contract.scalars import Int64


def _names_the_identity(document: Document) -> Document:
    """Version 1 called the identity `immutable`, and included some of the settings."""
    return {("identity" if key == "immutable" else key): v for key, v in document.items()}


class RunIdentity(StoreObject):
    """Identity of the run under a prefix; written once, by the first process that needs it."""

    SCHEMA_VERSION: ClassVar[int] = 2
    UPGRADES: ClassVar[dict[int, Upgrade]] = {1: _names_the_identity}

    schema_version: Annotated[Int64, Field(description="Version of this object's schema.")] = 2
    namespace: Annotated[str, Field(description="Namespace of the run.")]
    name: Annotated[str, Field(description="Name of the run.")]
    digest: Annotated[
        str, Field(description="SHA-256 of the identity as canonical JSON, for display.")
    ] = ""
    installation: Annotated[
        str, Field(description="Installation that manages the run; empty: a laptop.")
    ] = ""
    identity: Annotated[
        dict[str, Any], Field(description="The spec, reduced to fields of the class identity.")
    ]


class StoreMark(StoreObject):
    """Shows that an installation begins its runs in this store; of each installation, there is one.

    A store without it, once there was one, is at another URL, or was emptied.
    """

    installation: Annotated[str, Field(description="Installation that wrote it.")]

    @property
    def key(self) -> str:
        """At the root of the store: a namespace's name begins with no dot."""
        return f".installation-{self.installation.replace('/', '.')}.json"
