"""`lccp watch`: evaluate the checkpoints of another trainer while it runs."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lccp_cli import probes as options
from lccp_cli.measuring import Measuring, takes_measuring


@takes_measuring
def watch(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder to which a trainer saves checkpoints: Hugging Face directories, or "
            "folders that --convert converts into them.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder for reports, laid out as by lccp evaluate --series."
        ),
    ],
    marker: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="File in a checkpoint that the trainer writes last. Default: trainer_state.json "
            "if there is one, else --quiet-seconds.",
        ),
    ] = None,
    quiet_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            help="Without a marker, a checkpoint is complete once it has not changed for this "
            "long.",
        ),
    ] = 30.0,
    convert: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Command that converts a checkpoint {input} in another format into the Hugging "
            "Face directory {output}. Models are kept in the folder converted/ of --out.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TOKENS",
            help="End once a checkpoint with this many tokens is evaluated or has failed. Default: "
            "run until Ctrl-C.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Tokens that the trainer may train: the horizon is an eighth of it."),
    ] = None,
    horizon_tokens: Annotated[
        str | None, typer.Option(help="Tokens of training over which a gain is measured.")
    ] = None,
    tokens_per_step: options.TokensPerStep = None,
    index: options.Index = None,
    measuring: Measuring = Measuring(),
    poll_seconds: Annotated[
        float, typer.Option(min=0.1, help="Interval between two polls of the folder.")
    ] = 5.0,
) -> None:
    """Evaluate every checkpoint that a trainer saves to a folder, as soon as it is complete.

    Ctrl-C ends the watch with the verdict and the page so far; the same command resumes it. A
    checkpoint that was rewritten is evaluated again. Exit codes: 0 ended, 2 invalid input.

    Examples:

        lccp watch ./checkpoints --out eval --tokens-per-step 4M --budget 20B
        lccp watch ./checkpoints --out eval --marker DONE --until 20B --source-context 8K
        lccp watch ./dcp --out eval --convert "python to_hf.py {input} {output}"
    """
    from lccp_cli.console import standard_output
    from lccp_cli.live.folder import watching
    from lccp_cli.options import token_budget
    from lccp_cli.series import conclude, verdict_over

    settings = options.settings_of(measuring)
    until_tokens = None if until is None else token_budget(until, "--until")
    counts = partial(options.token_counts, index, tokens_per_step)
    judge = partial(verdict_over, budget=budget, horizon_tokens=horizon_tokens)
    counts(), judge(())  # report wrong options at once
    from lccp_evaluator.series.conversion import Conversion
    from lccp_evaluator.series.formats import Foreign, HuggingFace
    from lccp_evaluator.series.series import Series
    from lccp_evaluator.series.watch import Completion, Watch

    foreign = None if convert is None else Foreign(Conversion(convert, out / "converted"))
    series = Series(out, settings())
    completion = Completion(marker, quiet_seconds)
    watched = Watch(folder, series, counts, completion, format=foreign or HuggingFace())
    console = standard_output()
    try:
        with terminated_as_interrupted(), watching(console, f"watching {folder}", judge) as show:
            watched.run(show, until_tokens, poll_seconds)
    except KeyboardInterrupt:
        console.print("\nEnded: the same command resumes from here.", markup=False)
    if series.reports():
        conclude(console, out, judge)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
