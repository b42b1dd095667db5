"""`spec.data`: the mixture of sources."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, rules
from lccp.contract.changes import LIVE, NEXT_ATTEMPT
from lccp.contract.location import Location
from lccp.contract.quantities import ContextLength, Decimal

Name = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


DISTINCT_NAMES = "source names must be distinct"
SHORT_WITHOUT_WEIGHT = (
    "shortFraction above 0 gives tokens to sources of kind Short, but none has a weight above 0: "
    "add one, or make shortFraction 0"
)
LONG_WITHOUT_WEIGHT = (
    "shortFraction below 1 gives tokens to sources of kind Long, but none has a weight above 0: "
    "add one, or make shortFraction 1"
)


def _has_weight(kind: str) -> str:
    """CEL: a source of this kind has a weight other than 0, or an invalid one."""
    weight = Decimal.cel("s.weight")
    return f"self.sources.exists(s, s.kind == '{kind}' && {weight} != 0.0)"


class DataSource(Contract):
    """One source of documents."""

    name: Annotated[Name, Field(description="Name of the source, in metrics and manifests.")]
    kind: Annotated[
        Literal["Short", "Long"],
        Field(
            description="Short: the pre-training mix. Long: documents that use the longer context."
        ),
    ]
    path: Annotated[
        Location,
        Field(
            description="File, or folder of files, as the trainer's pods see it; relative paths, "
            "`s3://` and `hf://datasets/organisation/name@revision/path` as in `model.source`. "
            "Links are followed and hidden files skipped; files compressed with gzip, bzip2 or xz "
            "are decompressed.",
        ),
    ]
    format: Annotated[
        Literal["JSONL", "Text", "Parquet", "Arrow", "Tokens"],
        Field(
            description="JSONL: one object per line. Text: one document per file. Parquet, Arrow: "
            "one document per row. Tokens: a folder that `lccp data prepare` wrote; all others are "
            "tokenized on every node at each start."
        ),
    ] = "JSONL"
    text_field: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            description="Field of a JSONL object, or column of a table, that holds the text.",
        ),
    ] = "text"
    bad_documents_max: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=1_000_000,
            description="Unreadable documents that may be skipped per file before the run fails; "
            "each file's count is in the index of its tokens.",
        ),
    ] = 0
    weight: Annotated[
        float,
        Decimal(ge=0, le=1e6),
        Field(
            description="Share of this source among those of its kind, by tokens; weights are "
            "normalized by their sum."
        ),
    ] = 1.0
    minimum_length: Annotated[
        ContextLength | None,
        Field(
            description="Minimum length of a document, in tokens; shorter ones are skipped. "
            "Default: none for short sources, the source model's context for long ones."
        ),
    ] = None


class DataSpec(Contract):
    """What the model is trained on."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                distinct("self.sources.map(s, s.name)"),
                DISTINCT_NAMES,
                ".sources",
            ),
            Rule(
                f"{Decimal.cel('self.shortFraction')} <= 0.0 || {_has_weight('Short')}",
                SHORT_WITHOUT_WEIGHT,
                ".sources",
            ),
            Rule(
                f"[-1.0, 1.0].exists(x, x == {Decimal.cel('self.shortFraction')}) || "
                f"{_has_weight('Long')}",
                LONG_WITHOUT_WEIGHT,
                ".sources",
            ),
        )
    )

    short_fraction: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(description="Share of the tokens that come from short sources."),
    ] = 0.25
    sources: Annotated[
        tuple[DataSource, ...],
        Field(min_length=1, max_length=64, description="The sources, with distinct names."),
    ]
    seed: Annotated[
        StrictInt, Field(ge=0, lt=2**31, description="Seed of the order of documents.")
    ] = 0
    cross_document_attention: Annotated[
        StrictBool,
        Field(
            description="Train each row as one text: its documents attend to earlier ones in it, "
            "positions run through the row, and a document's first token is predicted from the end "
            "of the previous one. Default: each document by itself, from position 0.",
        ),
    ] = False
    held_out_tokens: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=10**12,
            description="Tokens of documents that are never trained on, drawn with `seed` from "
            "each source in proportion to its share, at least one document of each. At every "
            "checkpoint the loss on them is measured by source, within and beyond the source "
            "context. This takes a third of the time of training on as many tokens: 4 % of "
            "`checkpoints.everyTokens` take some 1.3 % of the time. Default: none, since it "
            "changes what is trained on.",
        ),
    ] = 0
    accept_changed: Annotated[
        StrictBool,
        Field(
            description="Continue although the documents are not those that the run started with; "
            "some may then be read twice and some never.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = False

    max_epochs: Annotated[
        float,
        Decimal(gt=0, le=1e6),
        Field(
            description="How often a source may be read before the condition `Degraded` reports "
            "the repetition; training continues. Up to four epochs are nearly as good as new text "
            "(Muennighoff et al., arXiv 2305.16264).",
            json_schema_extra=LIVE,
        ),
    ] = 4.0

    @model_validator(mode="after")
    def _mixture_is_possible(self) -> "DataSpec":
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(DISTINCT_NAMES)
        if self.short_fraction > 0 and not self.weight_of("Short"):
            raise ValueError(SHORT_WITHOUT_WEIGHT)
        if self.short_fraction < 1 and not self.weight_of("Long"):
            raise ValueError(LONG_WITHOUT_WEIGHT)
        return self

    def weight_of(self, kind: str) -> float:
        """Sum of the weights of the sources of `kind`."""
        return float(sum(source.weight for source in self.sources if source.kind == kind))

    def share(self, source: DataSource) -> float:
        """Share of all tokens that `source` gives, 0 to 1."""
        of_kind = self.short_fraction if source.kind == "Short" else 1 - self.short_fraction
        total = self.weight_of(source.kind)
        return float(of_kind * source.weight / total) if total else 0.0
