"""`lccp watch`: evaluate the checkpoints of another trainer while it runs."""

from contextlib import suppress
from functools import partial
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli import probes as options
from lccp_cli.measuring import Measuring, takes_measuring
from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from lccp_evaluator.series.formats import Format

SECONDS_MAX = 86_400
FAILED = 1


@takes_measuring
def watch(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR|s3://BUCKET/PREFIX",
            help="Folder to which a trainer saves checkpoints: Hugging Face directories, or "
            "folders that --convert converts into them. Or a prefix of a bucket: checkpoints are "
            "fetched to the folder bucket/ of --out.",
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
            max=SECONDS_MAX,
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
    endpoint: Endpoint = None,
    measuring: Measuring = Measuring(),
    poll_seconds: Annotated[
        float,
        typer.Option(min=0.1, max=SECONDS_MAX, help="Interval between two polls of the folder."),
    ] = 5.0,
) -> None:
    """Evaluate every checkpoint that a trainer saves to a folder, as soon as it is complete.

    Ctrl-C ends the watch with the verdict and the page so far; the same command resumes it. A
    checkpoint that was rewritten is evaluated again. Exit codes: 0 ended, 1 --until was reached and
    no checkpoint could be evaluated, 2 invalid input.

    Examples:

        lccp watch ./checkpoints --out eval --tokens-per-step 4M --budget 20B
        lccp watch ./checkpoints --out eval --marker DONE --until 20B --source-context 8K
        lccp watch s3://bucket/run-1 --out eval --endpoint https://s3.example.org --marker DONE
        lccp watch ./dcp --out eval --convert "python to_hf.py {input} {output}"
    """
    from lccp_cli.live.folder import watching
    from lccp_cli.options import token_budget
    from lccp_cli.output.console import standard_output
    from lccp_cli.progress import made
    from lccp_cli.series import conclude, verdict_over

    settings = options.settings_of(measuring)
    until_tokens = None if until is None else token_budget(until, "--until")
    counts = partial(options.token_counts, index, tokens_per_step)
    judge = partial(verdict_over, budget=budget, horizon_tokens=horizon_tokens)
    counts(), judge(())  # report wrong options at once
    place, format = _watched(folder, endpoint, convert, out)
    how = settings()
    from lccp_evaluator.series.checkpoints import Completion
    from lccp_evaluator.series.series import EvaluationSeries
    from lccp_evaluator.series.watch import Watch

    completion, console = Completion(marker, quiet_seconds), standard_output()
    with made(out):
        series = EvaluationSeries(out, how)
        watched = Watch(place, series, counts, completion, format=format)
        try:
            with watching(console, f"watching {folder}", judge) as show:
                watched.run(show, until_tokens, poll_seconds)
        except KeyboardInterrupt:
            with suppress(SystemExit):  # Ctrl-C has ended what read its output, too
                console.print("\nEnded: the same command resumes from here.")
        else:
            if not series.reports():
                console.print("No checkpoint could be evaluated.", style="yellow")
                raise typer.Exit(FAILED)
        if series.reports():
            conclude(console, out, judge)


def _watched(
    folder: str, endpoint: str | None, convert: str | None, out: Path
) -> "tuple[Path, Format]":
    """The folder to look at, and the format of the checkpoints in it. Raises InvalidInput."""
    from lccp.api.invocation import StoreConfig
    from lccp.contract.errors import InvalidInput
    from lccp.contract.location import BucketLocation, remote_location
    from lccp.store.open import open_store
    from lccp_evaluator.series.bucket import InBucket, Mirror
    from lccp_evaluator.series.conversion import Conversion
    from lccp_evaluator.series.formats import Foreign, HuggingFace

    foreign = None if convert is None else Foreign(Conversion(convert, out / "converted"))
    format: Format = foreign or HuggingFace()
    if "://" not in folder:
        if Path(realpath(out)).is_relative_to(realpath(folder)):
            raise InvalidInput(f"--out: {out} is in {folder}: give a folder outside of it")
        return Path(folder), format
    location = remote_location(folder)
    if not isinstance(location, BucketLocation):
        raise InvalidInput(f"{folder}: must be a folder or s3://bucket/prefix")
    store = open_store(StoreConfig(url=location.url, endpoint=endpoint))
    mirror = Mirror(store, out / "bucket")
    return mirror.listed, InBucket(mirror, format)
