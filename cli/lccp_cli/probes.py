"""Settings of probes, and token counts, from the options of `lccp evaluate` and `lccp watch`."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.measuring import Measuring

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lccp.api.spec.probes import ProbesSpec
    from lccp.contract.base import Contract
    from lccp.probes.niah import NiahSettings
    from lccp_evaluator.series.settings import SeriesSettings
    from lccp_evaluator.series.tokens import TokenCounts

TokensPerStep = Annotated[
    str | None,
    typer.Option(
        help="Tokens per training step, such as 4M, if names (checkpoint-500) or "
        "trainer_state.json give only steps."
    ),
]
Index = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="YAML mapping from names of directories to tokens, such as final: 8B.",
    ),
]
LIMITED = ("haystacks", "documents", "questions")
"""Settings that --limit limits: their intervals are over these."""


def settings_of(asked: Measuring) -> "Callable[[], SeriesSettings]":
    """A function that makes the settings of a series; calling it takes a while, as it imports
    torch, and raises InvalidInput if the machine lacks the device.

    Raises InvalidInput at once, naming file and field, or the option.
    """
    from lccp_cli.options import length

    spec = probes_of(asked)
    source = asked.source_context and length(asked.source_context, "--source-context")
    context = asked.context and length(asked.context, "--context")

    def made() -> "SeriesSettings":
        from lccp_cli.output.console import loading

        with loading():
            import_module("lccp_evaluator.series.series")
            from lccp_evaluator.model.execution import Execution
            from lccp_evaluator.series.settings import SeriesSettings

        execution = Execution(
            asked.device, asked.dtype, asked.batch_size, asked.processes, asked.shards
        )
        execution.check()
        return SeriesSettings(
            probes=spec,
            source_context=source or None,
            context=context or None,
            tokenizer=asked.tokenizer,
            trust_remote_code=asked.trust_remote_code,
            execution=execution,
        )

    return made


def probes_of(asked: Measuring) -> "ProbesSpec":
    """Settings of all probes: those in the file given by --probes, overridden by the other options.

    Biographies are as long as the longest requested prompt, and as many as the haystacks.
    Raises InvalidInput, naming file and field, or the option.
    """
    from lccp.api.spec.probes import ProbesSpec
    from lccp.contract.errors import InvalidInput
    from lccp.probes.bio import BioSettings
    from lccp.probes.niah import NiahSettings
    from lccp_cli.options import checked

    options = {
        "preset": asked.preset,
        "lengths": _parts(asked.lengths),
        "depths_percent": _parts(asked.depths),
        "haystacks": asked.haystacks,
        "needles": None if asked.needles is None else _needles(asked.needles),
        "needles_per_haystack": asked.needles_per_haystack,
        "haystack": _haystack(asked.haystack),
        "separator": _unescaped(asked.separator),
    }
    niah = {name: value for name, value in options.items() if value is not None}
    given = _document(asked.probes) if asked.probes else {}
    chosen = ProbesSpec.parse(given, str(asked.probes))
    probes = chosen.asked()
    if niah and "niah" not in probes:
        option = next(iter(niah)).removesuffix("_percent").replace("_", "-")
        raise InvalidInput(
            f"--{option}: is an option of niah, which {asked.probes} turns off: leave it out"
        )
    if niah:
        settings = checked(NiahSettings, probes["niah"].model_dump() | niah)
        bio = probes.get("bio")
        if isinstance(bio, BioSettings) and "bio" not in given:
            probes["bio"] = bio.model_copy(update=_sizes(settings))
        probes["niah"] = settings
    shared = {"template": _unescaped(asked.template), "seed": asked.seed}
    return chosen.replaced({name: _changed(one, shared, asked) for name, one in probes.items()})


def _changed(settings: "Contract", shared: "Mapping[str, object]", asked: Measuring) -> "Contract":
    """Settings of a probe, with the shared ones, and no more clusters than --limit."""
    from lccp_cli.options import checked

    known = type(settings).model_fields
    changes = {k: value for k, value in shared.items() if value is not None and k in known}
    if asked.limit is not None:
        counts = _counts(settings)
        changes |= {name: min(count, asked.limit) for name, count in counts.items()}
    return checked(type(settings), settings.model_dump() | changes) if changes else settings


def _counts(settings: "Contract") -> dict[str, int]:
    """How many haystacks, documents and questions a probe requests."""
    from lccp.probes.niah import NiahSettings, clusters

    if isinstance(settings, NiahSettings):
        return {"haystacks": clusters(settings)[0].count}
    return {name: getattr(settings, name) for name in LIMITED if hasattr(settings, name)}


def _unescaped(text: str | None) -> str | None:
    r"""`text` with a line break for each `\n`, and a tab for each `\t`."""
    return None if text is None else text.replace("\\n", "\n").replace("\\t", "\t")


def _parts(text: str | None) -> list[int | str] | None:
    """`1K, 512` as ["1K", 512], the list that a manifest would have."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    return [int(part) if part.isdecimal() else part for part in parts]


def _needles(path: Path) -> list[object]:
    from lccp.contract.errors import InvalidInput
    from lccp.yaml_files import document

    match document(path):
        case [*needles]:
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
    from lccp.yaml_files import document

    match document(path):
        case dict() as found:
            return found
        case _:
            raise InvalidInput(f"{path}: must be a mapping")


def token_counts(index: Path | None, tokens_per_step: str | None) -> "TokenCounts":
    """The source of token counts, from options. Raises InvalidInput, naming file or option."""
    from lccp_cli.options import token_budget
    from lccp_evaluator.series.tokens import TokenCounts, index_of

    per_step = None
    if tokens_per_step is not None:
        per_step = token_budget(tokens_per_step, "--tokens-per-step")
    return TokenCounts(index_of(_document(index), str(index)) if index else {}, per_step)


def tokens_of(text: str | None) -> list[int] | None:
    """`0,4B,8B` as token counts. Raises InvalidInput, naming the option."""
    from lccp_cli.options import checkpoint_tokens

    if text is None:
        return None
    return [checkpoint_tokens(part.strip(), "--tokens") for part in text.split(",")]
