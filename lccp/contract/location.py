"""The location of a model or documents: a path, objects of a bucket, or a repository of a hub."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from lccp.contract.cel import Rule, rules

BUCKET = r"s3://([^/]+)/(.*[^/])/?"
_HUB = r"hf://(datasets/)?([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(@[^/@]+)?(/.*[^/])?/?"
_AMBIGUOUS = r"hf://(datasets/[^/@]+(@.*)?/?|(datasets/)?[^/@]+/[^/@]+@refs/.+)"
"""A data set without its organisation; a revision with slashes."""
MALFORMED = (
    "must be a path, s3://bucket/key, or hf://organisation/name (a dataset: "
    "hf://datasets/organisation/name), then optionally @revision, without slashes, and /path"
)


@dataclass(frozen=True)
class BucketLocation:
    """An object of an S3 bucket, or all objects below it."""

    bucket: str
    key: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class HubLocation:
    """A repository of a hub that speaks Hugging Face's protocol, or a file or folder in it."""

    repository: str
    is_dataset: bool
    revision: str | None = None
    """Branch, tag or commit; None: the main branch."""
    path: str = ""

    @property
    def url(self) -> str:
        kind = "datasets/" if self.is_dataset else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{kind}{self.repository}{revision}{'/' if self.path else ''}{self.path}"


def remote_location(text: str) -> BucketLocation | HubLocation | None:
    """The place outside the file system that `text` names; None: `text` is a path."""
    if found := re.fullmatch(BUCKET, text):
        return BucketLocation(found[1], found[2])
    found = re.fullmatch(_HUB, text)
    if found and not re.fullmatch(_AMBIGUOUS, text):
        kind, repository, revision, path = found.groups()
        return HubLocation(repository, bool(kind), (revision or "")[1:] or None, (path or "")[1:])
    return None


def _known(text: str) -> str:
    if "://" in text and remote_location(text) is None:
        raise ValueError(MALFORMED)
    return text


Location = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1024,
        json_schema_extra=rules(
            Rule(
                f"!self.contains('://') || (self.matches('^({BUCKET}|{_HUB})$') && "
                f"!self.matches('^{_AMBIGUOUS}$'))",
                MALFORMED,
            )
        ),
    ),
    AfterValidator(_known),
]
"""Text that names a place."""
