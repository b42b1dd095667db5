"""A simulated next version: each object that it stores has an additional field.

Imported by the image's Python as it starts.
"""

from typing import Any

from lccp.api.objects.base import StoreObject

FIELD = "fieldOfNextVersion"

_document = StoreObject.document


def document(self: StoreObject) -> dict[str, Any]:
    return _document(self) | {FIELD: {"known": False}}


StoreObject.document = document  # type: ignore[method-assign]
