"""The header of frozen samples: what they were drawn from."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.errors import Incompatible


class Header(Contract):
    """What the samples were drawn from."""

    kind: Literal["header"] = "header"
    probe: Annotated[str, Field(description="Probe that drew them.")]
    version: Annotated[int, Field(description="Version of the probe's generator.")]
    settings: Annotated[dict[str, Any], Field(description="Its settings, defaults resolved.")]
    tokenizer_digest: Annotated[str, Field(description="Digest of the tokenizer.")]
    vocabulary: Annotated[int, Field(description="Number of tokens of the tokenizer.")]
    names: Annotated[
        dict[str, tuple[str, ...]], Field(description="Names, by label whose values number them.")
    ] = {}
    notes: Annotated[
        tuple[str, ...], Field(description="What to know about the samples, one sentence each.")
    ] = ()
    files: Annotated[
        dict[str, dict[str, str]],
        Field(description="SHA-256 of the files that were read, by field and name."),
    ] = {}
    whole: Annotated[
        tuple[str, ...] | None,
        Field(description="Fields whose files were all read: an added file would be read too."),
    ] = None
    chosen_by: Annotated[
        str | None, Field(description="What chose the keys of the samples, if any were chosen.")
    ] = None

    def check(
        self, version: int, settings: dict[str, Any], tokenizer_digest: str, where: str
    ) -> None:
        """Raise Incompatible unless the samples are those of the settings and the tokenizer."""
        if self.version != version:
            raise Incompatible(
                f"{where}: was drawn by version {self.version} of the generator, "
                f"but this LCCP has version {version}: use the LCCP that drew it"
            )
        if self.tokenizer_digest != tokenizer_digest:
            raise Incompatible(
                f"{where}: was drawn with another tokenizer than the checkpoint's: all checkpoints "
                "of a run must have the same tokenizer"
            )
        if self.settings != settings:
            changed = [key for key in settings if self.settings.get(key) != settings[key]]
            raise Incompatible(
                f"{where}: was drawn with other settings of evaluation.probes.{self.probe} "
                f"({', '.join(changed) or 'fewer'}): use another run or folder for these"
            )
