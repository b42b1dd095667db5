"""How a model is measured: the options that `lccp evaluate` and `lccp watch` share."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer


@dataclass(frozen=True)
class Measuring:
    """Options in the order in which help lists them."""

    probes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML of the probes' settings, as in spec.evaluation.probes of a manifest.",
        ),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            help="Defaults of lengths, depths, haystacks and needles: Quick (a first impression, "
            "not a basis for decisions), Standard or Paper. Default: Standard."
        ),
    ] = None
    lengths: Annotated[
        str | None,
        typer.Option(
            help="Prompt lengths, such as 1K,2K,4K. Default: from the preset, up to the model's "
            "context."
        ),
    ] = None
    depths: Annotated[
        str | None,
        typer.Option(help="Needle depths in percent, such as 0,50,100. Default: from the preset."),
    ] = None
    haystacks: Annotated[
        int | None, typer.Option(help="Haystacks per cell. Default: from the preset.")
    ] = None
    needles: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML list of needles (stem, key, question). Default: LCCP's needles.",
        ),
    ] = None
    needles_per_haystack: Annotated[
        int | None, typer.Option(help="Needles per haystack. Default: from the preset.")
    ] = None
    haystack: Annotated[
        Path | None,
        typer.Option(
            help="Documents to hide the needles in: a file or a folder of JSONL (.jsonl, .json, or "
            "these with .gz) or of text."
        ),
    ] = None
    separator: Annotated[
        str | None,
        typer.Option(
            help="White space before needle and answer; \\n is a new line. Default: a space."
        ),
    ] = None
    template: Annotated[
        str | None,
        typer.Option(
            help="Prompt of all probes, with {context} and, after it, {question}; \\n is a new "
            "line. Default: each probe's own."
        ),
    ] = None
    seed: Annotated[
        int | None, typer.Option(help="Seed for the samples of all probes. Default: 0.")
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Maximum of haystacks, documents and questions per probe: a first impression, "
            "with wide intervals.",
        ),
    ] = None
    source_context: Annotated[
        str | None,
        typer.Option(
            help="Context length before the extension; longer prompts form the extension band. "
            "Default: the model's own context length."
        ),
    ] = None
    context: Annotated[
        str | None,
        typer.Option(
            help="Context length of the model. Default: from its configuration, such as "
            "max_position_embeddings."
        ),
    ] = None
    tokenizer: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the tokenizer, if the models contain none."),
    ] = None
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run Python code from the model's directory."),
    ] = False
    device: Annotated[
        Literal["cpu", "cuda"] | None,
        typer.Option(help="Where the model runs. Default: cuda if available."),
    ] = None
    dtype: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option(
            help="Number format of weights and activations. Default: float32 on a CPU, else "
            "bfloat16."
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum tokens of one forward pass: fewer need less memory but more passes. "
            "Default: 1024 on a CPU, else 8192; less if memory requires it.",
        ),
    ] = None
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            help="Processes that share the haystacks, each with the whole model on its own CUDA "
            "device, or with its share of the CPU's threads.",
        ),
    ] = 1
    shards: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Of these processes, those whose devices share one model: its experts are split "
            "over all of them or, if it has none, its layers. Default: as few as fit.",
        ),
    ] = None


def takes_measuring(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the fields of its argument `measuring` as options, in the same place."""
    hints = get_type_hints(Measuring, include_extras=True)
    own = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == "measuring":
            parameters += [_parameter(one.name, hints[one.name], one.default) for one in _fields()]
        else:
            parameters.append(_parameter(parameter.name, own[parameter.name], parameter.default))

    @wraps(command)
    def with_options(**given: Any) -> None:
        asked = {one.name: given.pop(one.name) for one in _fields()}
        command(**given, measuring=Measuring(**asked))

    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_options


def _fields() -> tuple[Any, ...]:
    return fields(Measuring)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
