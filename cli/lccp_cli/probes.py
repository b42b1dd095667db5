"""Options of `lccp evaluate` and `lccp watch`: what is measured, how, and at which tokens."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lccp.api.spec.probes import ProbesSpec
    from lccp.probes.niah import NiahSettings
    from lccp_evaluator.series.tokens import TokenCounts

TokensPerStep = Annotated[
    str | None,
    typer.Option(
        help="Tokens of a training step, such as 4M, where names (checkpoint-500) or "
        "trainer_state.json tell steps alone."
    ),
]
Index = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="YAML mapping from names of directories to tokens, such as final: 8B.",
    ),
]
ProbesFile = Annotated[
    Path | None,
    typer.Option(
        "--probes",
        metavar="FILE",
        help="YAML of the probes' settings, as in spec.evaluation.probes of a manifest.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Default of lengths, depths, haystacks and needles: Quick (a look, which decides "
        "nothing), Standard or Paper. Default: Standard."
    ),
]
Lengths = Annotated[
    str | None,
    typer.Option(
        help="Prompt lengths, such as 1K,2K,4K. Default: by the preset, up to the model's context."
    ),
]
Depths = Annotated[
    str | None,
    typer.Option(help="Needle depths in percent, such as 0,50,100. Default: by the preset."),
]
Haystacks = Annotated[int | None, typer.Option(help="Haystacks per cell. Default: by the preset.")]
Needles = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="YAML list of needles (stem, key, question). Default: the needles of LCCP.",
    ),
]
NeedlesPerHaystack = Annotated[
    int | None, typer.Option(help="Needles per haystack. Default: by the preset.")
]
Haystack = Annotated[
    Path | None,
    typer.Option(
        help="Documents to hide the needles in: a file or a folder of JSONL (.jsonl, .json, or "
        "these with .gz) or of text."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Seed of the samples. Default: 0.")]
SourceContext = Annotated[
    str | None,
    typer.Option(
        help="Context length before the extension; longer prompts form the extension band. "
        "Default: the model's own context length."
    ),
]
TokenizerFolder = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer", metavar="DIR", help="Folder of the tokenizer, if the models hold none."
    ),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python code that lies beside the weights.")
]


def probes_of(
    file: Path | None,
    *,
    preset: str | None,
    lengths: str | None,
    depths: str | None,
    haystacks: int | None,
    needles: Path | None,
    needles_per_haystack: int | None,
    haystack: Path | None,
    seed: int | None,
) -> "ProbesSpec":
    """Settings of all probes: those in `file`, with those of niah that options give.

    Biographies are as long as the longest prompt that options ask for, and as many as haystacks.
    Raises InvalidInput, naming file and field, or the option.
    """
    from lccp.api.spec.probes import ProbesSpec
    from lccp.contract.errors import InvalidInput
    from lccp.probes.bio import BioSettings
    from lccp.probes.niah import NiahSettings
    from lccp_cli.options import checked

    options = {
        "preset": preset,
        "lengths": _parts(lengths),
        "depths_percent": _parts(depths),
        "haystacks": haystacks,
        "needles": None if needles is None else _needles(needles),
        "needles_per_haystack": needles_per_haystack,
        "haystack": _haystack(haystack),
        "seed": seed,
    }
    niah = {name: value for name, value in options.items() if value is not None}
    given = _document(file) if file else {}
    chosen = ProbesSpec.parse(given, str(file))
    asked = chosen.asked()
    if niah and "niah" not in asked:
        option = next(iter(niah)).removesuffix("_percent").replace("_", "-")
        raise InvalidInput(
            f"--{option}: is an option of niah, which {file} turns off: leave it out"
        )
    if niah:
        settings = checked(NiahSettings, asked["niah"].model_dump() | niah)
        bio = asked.get("bio")
        if isinstance(bio, BioSettings) and "bio" not in given:
            asked["bio"] = bio.model_copy(update=_sizes(settings))
        asked["niah"] = settings
    return chosen.replaced(asked)


def _parts(text: str | None) -> list[int | str] | None:
    """`1K, 512` as ["1K", 512], the list that a manifest would have."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    return [int(part) if part.isdecimal() else part for part in parts]


def _needles(path: Path) -> list[object]:
    from lccp.contract.errors import InvalidInput
    from lccp_cli.manifest import documents

    match documents(path):
        case [[*needles]]:
            return needles
        case _:
            raise InvalidInput(f"{path}: must be a list of needles (stem, key, question)")


def _haystack(path: Path | None) -> dict[str, str] | None:
    from lccp.contract.errors import InvalidInput
    from lccp.documents import form_of

    if path is None:
        return None
    if not path.exists():
        raise InvalidInput(f"--haystack: there is no file or folder {path}")
    return {"path": str(path.absolute()), "format": form_of(path)}


def _sizes(niah: "NiahSettings") -> dict[str, object]:
    sizes = {"lengths": niah.lengths and (max(niah.lengths),), "documents": niah.haystacks}
    return {name: value for name, value in sizes.items() if value}


def _document(path: Path) -> dict[str, object]:
    from lccp.contract.errors import InvalidInput
    from lccp_cli.manifest import documents

    match documents(path):
        case [dict() as document]:
            return document
        case _:
            raise InvalidInput(f"{path}: must be a mapping")


def token_counts(index: Path | None, tokens_per_step: str | None) -> "TokenCounts":
    """Where token counts come from, by options. Raises InvalidInput, naming file or option."""
    from lccp_cli.options import token_budget
    from lccp_evaluator.series.tokens import TokenCounts, index_of

    per_step = None
    if tokens_per_step is not None:
        per_step = token_budget(tokens_per_step, "--tokens-per-step")
    return TokenCounts(index_of(_document(index), str(index)) if index else {}, per_step)


def tokens_of(text: str | None) -> list[int] | None:
    """`0,4B,8B` as token counts. Raises InvalidInput, naming the option."""
    from lccp_cli.options import token_budget

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    return [0 if part == "0" else token_budget(part, "--tokens") for part in parts]
