"""The base of every object in the store: a schema version, JSON in and out."""

import json
from typing import Annotated, ClassVar, Self

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.errors import Incompatible, InvalidInput


class StoreObject(Contract):
    """An object in the store. `schemaVersion` rises when a reader of the old one would be wrong."""

    SCHEMA_VERSION: ClassVar[int] = 1

    schema_version: Annotated[int, Field(description="Version of this object's schema.")] = 1

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Self:
        """The object in `data`; `where` (its key) names it in errors.

        Raises:
            Incompatible: it has another schema version.
            InvalidInput: it is not JSON, or not this object.
        """
        try:
            document = json.loads(data)
        except ValueError:
            raise InvalidInput(f"{where}: is not JSON: it is damaged or cut short") from None
        version = document.get("schemaVersion") if isinstance(document, dict) else None
        if version != cls.SCHEMA_VERSION:
            raise Incompatible(
                f"{where}: has schema version {version}, but this LCCP reads "
                f"{cls.__name__} version {cls.SCHEMA_VERSION}: use the LCCP that wrote it"
            )
        return cls.parse(document, where)

    def to_json(self) -> bytes:
        """This object as indented JSON; equal objects give equal bytes."""
        return (json.dumps(self.document(), indent=1, ensure_ascii=False) + "\n").encode()
