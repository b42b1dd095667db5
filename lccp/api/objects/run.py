"""`run.json`: who the run in a store is."""

from typing import Annotated, Any

from pydantic import Field

from lccp.api.objects.base import StoreObject


class RunIdentity(StoreObject):
    """Identity of the run under a prefix; written once, by whoever comes first."""

    namespace: Annotated[str, Field(description="Namespace of the run.")]
    name: Annotated[str, Field(description="Name of the run.")]
    digest: Annotated[str, Field(description="SHA-256 of the immutable part, as canonical JSON.")]
    immutable: Annotated[dict[str, Any], Field(description="The immutable part of the spec.")]
