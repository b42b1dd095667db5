"""The target of a command: a run in a store or on this machine, or a folder of reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lccp.report.load import RunData
    from lccp.store.port import Store


@dataclass(frozen=True)
class Target:
    """The facts of a run, their location, and its folder if it is on this machine."""

    data: "RunData"
    store: "Store"
    prefix: str
    """Prefix of its objects in the store."""
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
