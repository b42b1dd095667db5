"""`spec.data`: the mixture of sources."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lccp.api.base import Contract
from lccp.api.quantities import ContextLength, Decimal

Name = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


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
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="File, or folder of files, as the trainer's pods see it; relative paths "
            "as in "
            "`model.source`. Files that end in .gz are decompressed.",
        ),
    ]
    format: Annotated[
        Literal["JSONL", "Text"],
        Field(description="JSONL: one object a line. Text: one document a file."),
    ] = "JSONL"
    text_field: Annotated[
        str,
        Field(
            min_length=1, max_length=63, description="Field of a JSONL object that holds the text."
        ),
    ] = "text"
    weight: Annotated[
        float,
        Decimal(ge=0, le=1e6),
        Field(
            description="Share of this source among those of its kind, by tokens; weights are "
            "divided by their sum."
        ),
    ] = 1.0
    minimum_length: Annotated[
        ContextLength | None,
        Field(
            description="Least length of a document, in tokens; shorter ones are left out. "
            "Default: "
            "none for short sources, the source model's context for long ones."
        ),
    ] = None


class DataSpec(Contract):
    """What the model is trained on."""

    short_fraction: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(description="Share of the tokens that short sources give."),
    ] = 0.25
    sources: Annotated[
        tuple[DataSource, ...],
        Field(min_length=1, max_length=64, description="The sources, with distinct names."),
    ]
    seed: Annotated[int, Field(ge=0, lt=2**31, description="Seed of the order of documents.")] = 0

    @model_validator(mode="after")
    def _mixture_is_possible(self) -> "DataSpec":
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError("source names must be distinct")
        for kind, share in (("Short", self.short_fraction), ("Long", 1 - self.short_fraction)):
            if share > 0 and self.weight_of(kind) == 0:
                raise ValueError(
                    f"sources of kind {kind} have no weight, but shortFraction "
                    f"{self.short_fraction:g} gives them {share:g} of the tokens: "
                    f"add a {kind} source with a weight above 0, or change shortFraction"
                )
        return self

    def weight_of(self, kind: str) -> float:
        """Sum of the weights of the sources of `kind`."""
        return float(sum(source.weight for source in self.sources if source.kind == kind))

    def share(self, source: DataSource) -> float:
        """Share of all tokens that `source` gives, 0 to 1."""
        of_kind = self.short_fraction if source.kind == "Short" else 1 - self.short_fraction
        total = self.weight_of(source.kind)
        return float(of_kind * source.weight / total) if total else 0.0
