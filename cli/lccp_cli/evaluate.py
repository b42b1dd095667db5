"""`lccp evaluate`: needles and retrieval heads of any Hugging Face directory, without a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lccp.api.spec.evaluation import ProbesSpec


def evaluate(
    model: Annotated[Path, typer.Option(metavar="DIR", help="Hugging Face causal language model.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder for report.json and its arrays; samples that lie there are used again.",
        ),
    ],
    lengths: Annotated[
        str | None,
        typer.Option(help="Prompt lengths, such as 1K,2K,4K; default: eight up to the context."),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(help="Depths of the needle in percent, such as 0,50,100; default: eleven."),
    ] = None,
    haystacks: Annotated[int | None, typer.Option(help="Haystacks in every cell; default: 10.")] = (
        None
    ),
    needles: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML list of needles (stem, key, question); default: those that LCCP ships.",
        ),
    ] = None,
    needles_per_haystack: Annotated[
        int | None, typer.Option(help="Needles that each haystack is asked with; default: 2.")
    ] = None,
    haystack: Annotated[
        Path | None,
        typer.Option(help="Documents around the needle: .jsonl, .jsonl.gz, or text files."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the samples; default: 0.")] = None,
    source_context: Annotated[
        str | None,
        typer.Option(
            help="Context before an extension; longer prompts are the extension band. "
            "Default: the model's own context."
        ),
    ] = None,
) -> None:
    """Measure NIAH score, NIAH-PPL and retrieval heads of a model, in one pass per sample.

    Examples:

        lccp evaluate --model ./SmolLM2-135M --out smollm2 --lengths 512,1K,2K
        lccp evaluate --model ./ckpt --out ckpt-eval --source-context 32K --haystacks 4
    """
    from lccp_cli.console import standard_output
    from lccp_cli.measuring import measuring, result_lines
    from lccp_cli.options import length
    from lccp_cli.preflight import check_model

    asked = {
        "lengths": _parts(lengths),
        "depths_percent": _parts(depths),
        "haystacks": haystacks,
        "needles": None if needles is None else _needles(needles),
        "needles_per_haystack": needles_per_haystack,
        "haystack": _haystack(haystack),
        "seed": seed,
    }
    probes = _probes({name: value for name, value in asked.items() if value is not None})
    source = None if source_context is None else length(source_context, "--source-context")
    check_model(model, "--model")
    from lccp_evaluator.local import evaluate_directory  # torch: not before the options are right

    console = standard_output()
    with measuring(console) as progress:
        report = evaluate_directory(model, out, probes, source, progress)
    for line in result_lines(report):
        console.print(line)
    console.print(f"\nReport: {out / 'report.json'}\nNext:   lccp report {out}", markup=False)


def _parts(text: str | None) -> list[int | str] | None:
    """`1K, 512` as ["1K", 512]: what a manifest's list would hold."""
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
            raise InvalidInput(f"{path}: must hold a list of needles (stem, key, question)")


def _haystack(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    jsonl = path.name.removesuffix(".gz").endswith(".jsonl")
    return {"path": str(path.absolute()), "format": "JSONL" if jsonl else "Text"}


def _probes(given: dict[str, object]) -> "ProbesSpec":
    from lccp.api.spec.evaluation import NiahProbe, ProbesSpec
    from lccp_cli.options import checked

    return ProbesSpec(niah=checked(NiahProbe, given))
