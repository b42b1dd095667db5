"""The base of every object in the store: a schema version, JSON in and out."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationError
from pydantic_core import from_json

from lccp.contract.base import Contract
from lccp.contract.errors import Incompatible, InvalidInput
from lccp.contract.scalars import Int64

Document = dict[str, Any]
Upgrade = Callable[[Document], Document]
"""Converts a document of one schema version to the next."""


class StoreObject(Contract):
    """An object in the store. `schemaVersion` rises when a reader of the old one would misread it.

    Within a version a reader ignores unknown fields, and a missing field takes its default. An
    older version is upgraded to this one by `UPGRADES`, step by step.
    """

    SCHEMA_VERSION: ClassVar[int] = 1
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {}
    """Upgrades, by the version that they start from."""

    schema_version: Annotated[Int64, Field(description="Version of this object's schema.")] = 1

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Self:
        """The object in `data`; `where` (its key) names it in errors.

        Raises:
            Incompatible: it has a newer schema version, or one that is too old.
            InvalidInput: it is not JSON, or not this object.
        """
        return cls._current(data) or cls._of_document(data, where)

    @classmethod
    def _current(cls, data: bytes) -> Self | None:
        """The object, parsed in one pass, as most can be; None if it needs the slow path."""
        if f'"schemaVersion": {cls.SCHEMA_VERSION}'.encode() not in data:
            return None
        try:
            found = cls.model_validate_json(data, extra="ignore", by_alias=True, by_name=True)
        except ValidationError:
            return None
        return found if found.schema_version == cls.SCHEMA_VERSION else None

    @classmethod
    def _of_document(cls, data: bytes, where: str) -> Self:
        """The object, upgraded to this version, or an error that says what is wrong."""
        try:
            document = from_json(data)
        except ValueError:
            raise InvalidInput(f"{where}: is not JSON: it is damaged or cut short") from None
        if not isinstance(document, dict):
            raise InvalidInput(f"{where}: is not a JSON object")
        return cls.parse_stored(cls._upgraded(document, where), where)

    def to_json(self) -> bytes:
        """This object as indented JSON; equal objects give equal bytes."""
        return (json.dumps(self.document(), indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def _upgraded(cls, document: Document, where: str) -> Document:
        version = found = document.get("schemaVersion")
        while isinstance(version, int) and version in cls.UPGRADES:
            try:
                document = cls.UPGRADES[version](document)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                raise InvalidInput(
                    f"{where}: is not a {cls.__name__} of schema version {version}: it is damaged"
                ) from None
            version += 1
        if version != cls.SCHEMA_VERSION:
            raise Incompatible(
                f"{where}: has schema version {found}, but this LCCP reads {cls.__name__} up to "
                f"version {cls.SCHEMA_VERSION}: use the LCCP that wrote it"
            )
        return document | {"schemaVersion": version}
