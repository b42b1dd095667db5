"""`lccp evaluate`: the probes on any Hugging Face model directory, or on a series of them."""

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli import probes as options
from lccp_cli.measuring import Measuring, takes_measuring
from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lccp_evaluator.series.checkpoints import CheckpointDirectory
    from lccp_evaluator.series.settings import SeriesSettings
    from lccp_evaluator.series.tokens import TokenCounts

FAILED = 1


@takes_measuring
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Directory of a Hugging Face causal language model, or a model to fetch: "
            "hf://organisation/name@revision, s3://bucket/key. With --series: several, or a folder "
            "of them.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder for reports and their arrays, which lccp analyze and lccp report read; "
            "existing samples are reused.",
        ),
    ],
    series: Annotated[
        bool,
        typer.Option(
            "--series",
            help="The models are checkpoints of one training: evaluate those without a report, "
            "then print the verdict and write the page.",
        ),
    ] = False,
    tokens: Annotated[
        str | None,
        typer.Option(
            help="Tokens that each model was trained on, in the order given, such as 1B,2B,3B; not "
            "for a folder of models. Default: from trainer_state.json, or the directory's name."
        ),
    ] = None,
    tokens_per_step: options.TokensPerStep = None,
    index: options.Index = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="With --series: checkpoints evaluated at a time, each on its own CUDA device (or "
            "devices, with --processes) or with its share of the CPU's threads. Default: as many "
            "as there are devices for; 1 on a CPU.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Measure nothing: print the expected cost on this machine, after a trial of a few "
            "seconds.",
        ),
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE",
            help="With --dry-run: seconds on an A100, H100, H200 or B200, assuming 40 % of its "
            "peak, and memory in bfloat16.",
        ),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Measure nothing: write the prompts as text, one JSON object per line, with the "
            "expected answer.",
        ),
    ] = None,
    endpoint: Endpoint = None,
    measuring: Measuring = Measuring(),
) -> None:
    """Measure a model from the inside: perplexity of answers in long contexts, retrieval heads.

    With --series, the checkpoints of a training are evaluated in order of their tokens; run the
    same command again to resume. Exit codes: 0 all are evaluated, 1 some failed, 2 invalid input,
    130 interrupted.

    Examples:

        lccp evaluate ./SmolLM2-135M --out smollm2 --preset Quick
        lccp evaluate ./ckpt --out ckpt-eval --source-context 32K --haystacks 4
        lccp evaluate ./ckpt --out ckpt-eval --prompts prompts.jsonl
        lccp evaluate hf://HuggingFaceTB/SmolLM2-135M --out smollm2 --limit 4
        lccp evaluate --series ./checkpoints --out eval --tokens-per-step 4M
        lccp evaluate --series base step-1 step-2 --out eval --tokens 0,4B,8B
    """
    from lccp.contract.errors import InvalidInput
    from lccp_cli.manifest import fetched_model
    from lccp_cli.progress import dry_run as tell_cost
    from lccp_cli.progress import made

    settings = options.settings_of(measuring)
    counts, given = options.token_counts(index, tokens_per_step), options.tokens_of(tokens)
    if len(models) > 1 and not series:
        raise InvalidInput(
            "MODEL: several models must be checkpoints of one training: add --series"
        )
    if jobs is not None and not series:
        raise InvalidInput("--jobs: is an option of --series")
    if on is not None and not dry_run:
        raise InvalidInput("--on: is an option of --dry-run")
    if dry_run and prompts is not None:
        raise InvalidInput("--prompts: already measures nothing: leave out --dry-run")
    paths = [fetched_model(text, "MODEL", endpoint) for text in models]
    if not series:
        _check(paths[0], measuring.tokenizer)
    if prompts is not None:
        _prompts(_checkpoints(paths, given, counts, series)[0], out, prompts, settings())
    elif dry_run:
        tell_cost(_checkpoints(paths, given, counts, series), out, measuring, on)
    else:
        with made(out):
            if series:
                _series(paths, given, counts, out, settings(), jobs)
            else:
                _one(paths[0], given, counts, out, settings())


def _check(model: Path, tokenizer: Path | None) -> None:
    """Raise InvalidInput unless `model` is a model's directory, and `tokenizer` a tokenizer's."""
    from lccp.contract.errors import InvalidInput
    from lccp_cli.manifest import check_model, check_tokenizer
    from lccp_evaluator.series.checkpoints import directories

    if model.is_dir() and directories([model]) not in ([], [model]):
        raise InvalidInput(f"{model}: is a folder of models: add --series to evaluate them all")
    check_model(model, "MODEL", with_tokenizer=tokenizer is None)
    if tokenizer is not None:
        check_tokenizer(tokenizer, "--tokenizer")


def _checkpoints(
    models: list[Path], given: "Sequence[int] | None", counts: "TokenCounts", series: bool
) -> "list[CheckpointDirectory]":
    """The checkpoints to measure. Raises InvalidInput as `series_of` does."""
    from lccp_evaluator.series.checkpoints import CheckpointDirectory, series_of
    from lccp_evaluator.series.tokens import Trained

    if series:
        return series_of(models, given, counts)
    return [CheckpointDirectory(models[0], Trained(0))]


def _prompts(
    checkpoint: "CheckpointDirectory", out: Path, path: Path, settings: "SeriesSettings"
) -> None:
    from lccp_cli.progress import unmade
    from lccp_evaluator.series.series import EvaluationSeries

    with unmade(out) as folder:
        count = EvaluationSeries(folder, settings).prompts(checkpoint, path)
    typer.echo(f"{path}: {count} samples for {checkpoint.path}")


def _one(
    model: Path,
    given: "Sequence[int] | None",
    counts: "TokenCounts",
    out: Path,
    settings: "SeriesSettings",
) -> None:
    from lccp.api.causes import Cause
    from lccp.api.exits import ExitCode
    from lccp.api.objects.report import EvaluationReport
    from lccp_cli.output.console import print_parts, standard_output
    from lccp_cli.progress import cost_text, progress_of
    from lccp_evaluator.series.checkpoints import CheckpointDirectory, series_of
    from lccp_evaluator.series.series import EvaluationSeries
    from lccp_evaluator.series.tokens import Trained

    if given is None and counts.of(model) is None:
        checkpoint = CheckpointDirectory(model, Trained(0))
    else:
        (checkpoint,) = series_of([model], given, counts)
    console, series = standard_output(), EvaluationSeries(out, settings)
    series.check_free(checkpoint)
    with progress_of(console) as progress:
        report = series.evaluate(checkpoint, progress, lambda cost: console.print(cost_text(cost)))
    if not isinstance(report, EvaluationReport):
        typer.echo(f"lccp: {report.message}", err=True)
        is_input = report.cause is Cause.CONFIGURATION
        raise typer.Exit(ExitCode.USAGE if is_input else FAILED)
    from lccp_cli.output.results import result_lines

    folder = series.folder(checkpoint.tokens)
    print_parts(console, result_lines(report, folder))
    console.print(f"\nReport: {folder / 'report.json'}\nNext:   lccp report {quote(str(out))}")


def _series(
    models: list[Path],
    given: "Sequence[int] | None",
    counts: "TokenCounts",
    out: Path,
    settings: "SeriesSettings",
    jobs: int | None,
) -> None:
    from lccp_cli.output.console import standard_output
    from lccp_cli.series import conclude, evaluate_all
    from lccp_evaluator.jobs.jobs import devices_of
    from lccp_evaluator.series.checkpoints import series_of
    from lccp_evaluator.series.series import EvaluationSeries

    console, checkpoints = standard_output(), series_of(models, given, counts)
    devices = devices_of(jobs, settings.execution)
    at_a_time = replace(settings.execution, jobs=len(devices))
    series = EvaluationSeries(out, replace(settings, execution=at_a_time))
    failed = evaluate_all(console, series, checkpoints, devices)
    if failed < len(checkpoints):
        conclude(console, out)
    if failed:
        console.print(f"{failed} of {len(checkpoints)} checkpoints failed", style="yellow")
        raise typer.Exit(FAILED)
