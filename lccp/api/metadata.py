"""The part of an object's metadata that LCCP reads."""

import re
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from lccp.api.labels import RUN_NAME_LENGTH_MAX
from lccp.api.rules import NAME, NAME_PATTERN
from lccp.contract.base import Contract
from lccp.contract.scalars import Time


class ObjectMeta(Contract):
    """The part of an object's metadata that LCCP reads; the rest is ignored."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[
        str,
        Field(
            description="Name of the run: at most 40 characters; workloads are named after it.",
        ),
    ]
    namespace: Annotated[str, Field(min_length=1, max_length=63, description="Namespace.")] = (
        "default"
    )
    uid: Annotated[str, Field(description="UID, given by the API server.")] = ""
    generation: Annotated[int, Field(description="Generation of the spec.")] = 0
    creation_timestamp: Annotated[Time | None, Field(description="When it was created.")] = None
    deletion_timestamp: Annotated[
        Time | None, Field(description="When its deletion was requested.")
    ] = None

    @model_validator(mode="after")
    def _name_fits(self) -> "ObjectMeta":
        if len(self.name) > RUN_NAME_LENGTH_MAX or not re.fullmatch(NAME_PATTERN, self.name):
            raise ValueError(f"{NAME}, not {self.name!r}")
        return self
