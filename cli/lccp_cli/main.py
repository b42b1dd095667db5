"""The command `lccp`: its commands, and how an error ends one."""

import errno
import io
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from lccp.api.exits import ExitCode
from lccp.contract.errors import LccpError
from lccp_cli import INTERRUPTED
from lccp_cli.arguments import Command
from lccp_cli.commands.analyze import analyze
from lccp_cli.commands.compare import compare
from lccp_cli.commands.data import data
from lccp_cli.commands.doctor import doctor
from lccp_cli.commands.estimate import estimate
from lccp_cli.commands.evaluate import evaluate
from lccp_cli.commands.export import export
from lccp_cli.commands.grafana import grafana
from lccp_cli.commands.plan import plan
from lccp_cli.commands.report import report
from lccp_cli.commands.run import run
from lccp_cli.commands.watch import watch

EXTRAS = {
    "plotly": "report",
    "torch": "trainer",
    "transformers": "evaluator",
    "deepspeed": "trainer",
    "tokenizers": "evaluator",
    "safetensors": "evaluator",
    "tensorboardX": "trackers",
    "mlflow": "trackers",
    "wandb": "wandb",
}
DISTRIBUTIONS = ("torch", "transformers", "deepspeed", "kopf", "kubernetes", "plotly")
AGAIN_SECONDS = 0.05
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Commands(TyperGroup):
    """Ends a command that fails with one sentence and an exit code, unless LCCP_DEBUG is 1."""

    def invoke(self, ctx: Any) -> Any:
        if os.environ.get("LCCP_DEBUG") == "1":
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except LccpError as error:
            raise _failed(str(error)) from None
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            extra = EXTRAS[error.name]
            fix = f"pip install -e '.[{extra}]' in the checkout of LCCP"
            raise _failed(f"{error.name} is not installed: {fix}") from None
        except OSError as error:
            if error.errno in NO_ROOM:
                place = error.filename or "the output"
                raise _failed(f"{place} can't be written: {error.strerror}") from None
            if error.filename is None:
                raise
            raise _failed(f"{error.filename}: {error.strerror}") from None
        except KeyboardInterrupt:
            typer.echo("lccp: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _failed(sentence: str) -> typer.Exit:
    typer.echo(f"lccp: {sentence}", err=True)
    return typer.Exit(ExitCode.USAGE)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def lccp() -> None:
    """Train a language model to a longer context, and know whether more training still pays.

    Examples:

        lccp doctor
        lccp run examples/tiny/run.yaml
        lccp report runs/default/tiny
    """


def crd() -> None:
    """Print the CustomResourceDefinition of LCCPRun.

    Examples:

        lccp crd > crds/lccpruns.lccp.io.yaml
        lccp crd | kubectl apply --server-side -f -
    """
    from lccp.api.crd import render_crd

    typer.echo(render_crd(), nl=False)


def version() -> None:
    """Print the versions of LCCP, Python, and the libraries that results depend on.

    Examples:

        lccp version
    """
    import platform

    from lccp import __version__
    from lccp_cli.machine.checks import version_of

    typer.echo(f"lccp {__version__}")
    typer.echo(f"python {platform.python_version()}")
    for name in DISTRIBUTIONS:
        typer.echo(f"{name} {version_of(name) or 'not installed'}")


COMMANDS = (
    run,
    evaluate,
    watch,
    analyze,
    compare,
    report,
    export,
    estimate,
    plan,
    doctor,
    crd,
    version,
)
for command in COMMANDS:
    app.command(cls=Command)(command)
app.add_typer(data, name="data")
app.add_typer(grafana, name="grafana")


def _once_more(lost: "sys.UnraisableHookArgs") -> None:
    """Python drops what is raised in a finalizer, such as Ctrl-C there: interrupt again soon."""
    if lost.exc_type is KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    else:
        sys.__unraisablehook__(lost)


def _hung_up(number: int, frame: FrameType | None) -> None:
    """Interrupt once: a shell and the kernel each send the signal of a closed terminal."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Run the command; what the terminal's encoding lacks is printed as a question mark.

    SIGTERM and a closed terminal end it as Ctrl-C does; `nohup` keeps it from the latter.
    """
    sys.unraisablehook = _once_more
    interrupt = signal.default_int_handler
    handlers = {signal.SIGTERM: interrupt, signal.SIGHUP: _hung_up, signal.SIGALRM: interrupt}
    _handle(handlers)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="lccp")
    finally:  # a signal ends Python's own end at once, and none is repeated there
        signal.setitimer(signal.ITIMER_REAL, 0)
        _handle(dict.fromkeys((signal.SIGINT, *handlers), signal.SIG_DFL))


def _handle(handlers: Mapping[signal.Signals, Any]) -> None:
    """Set handlers of signals, except of ignored ones."""
    for number, handler in handlers.items():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
