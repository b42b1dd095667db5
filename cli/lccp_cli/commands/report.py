"""`lccp report`: the self-contained page of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint, RunTarget

if TYPE_CHECKING:
    from lccp.report.load import RunData
    from lccp.store.port import Store


def report(
    target: RunTarget,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write. Default: report.html in the run's folder, or in the working "
            "directory for a run in a store."
        ),
    ] = None,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate",
            help="Print whether the newest checkpoint passes saturation.gate, and why, instead of "
            "a page. Ends with 0 if it does, else with 1.",
        ),
    ] = False,
    endpoint: Endpoint = None,
) -> None:
    """Write the report of a run as one HTML page that opens offline.

    Examples:

        lccp report runs/default/tiny
        lccp report s3://bucket/prefix/team/my-run --out my-run.html
        lccp report runs/default/tiny --gate && ./release.sh
    """
    from lccp.report.page.render import write_report

    found = load_target(target, endpoint)
    if gate:
        raise typer.Exit(0 if passed(found.data) else 1)
    path = out or (found.folder or Path()) / "report.html"
    typer.echo(str(write_report(found.data, path)))


def passed(data: "RunData") -> bool:
    """Print the answer to the run's gate; whether it is yes. Raises InvalidInput: it has none."""
    from lccp.contract.errors import InvalidInput
    from lccp.report.judged import verdict_of
    from lccp_cli.commands.analyze import show_gate

    found = verdict_of(data).gate
    if found is None:
        raise InvalidInput(
            f"{data.title}: saturation.gate is empty: declare there what a release asks"
        )
    show_gate(found)
    return found.answer == "Yes"


@dataclass(frozen=True)
class Target:
    """The facts of a run, where they lie, and its folder if it is on this machine."""

    data: "RunData"
    store: "Store"
    prefix: str
    """Of its objects in the store."""
    folder: Path | None


def load_target(text: str, endpoint: str | None = None) -> Target:
    """The target that `text` names.

    `text` is a run's folder (it contains `run.json`), any folder that contains `report.json`
    files, or `<store URL>/<namespace>/<name>`. Raises InvalidInput, Incompatible, StoreUnavailable.
    """
    from lccp.report.load import RunData
    from lccp.store.file import FileStore

    if "://" in text:
        return _in_store(text, endpoint)
    folder = Path(text)
    if (folder / "run.json").is_file():
        whole = folder.resolve()
        return _in_store(f"file://{whole}", None, folder)
    return Target(RunData.from_folder(folder), FileStore(folder), "", folder)


def _in_store(text: str, endpoint: str | None, folder: Path | None = None) -> Target:
    from lccp.api.invocation import StoreConfig
    from lccp.contract.errors import InvalidInput
    from lccp.report.load import RunData
    from lccp.store.keys import RunKeys
    from lccp.store.open import open_store

    url, namespace, name = (["", "", *text.rstrip("/").rsplit("/", 2)])[-3:]
    if not namespace or not name or url.endswith("/") or "://" not in url:
        raise InvalidInput(f"{text}: must be <store URL>/<namespace>/<name>")
    store = open_store(StoreConfig(url=url, endpoint=endpoint))
    keys = RunKeys(namespace, name)
    return Target(RunData.from_store(store, keys), store, keys.prefix, folder)
