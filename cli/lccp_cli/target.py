"""What `report` and `analyze` are pointed at: a run in a store, or a folder of reports."""

from dataclasses import dataclass
from pathlib import Path

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import InvalidInput
from lccp.report.load import RunData
from lccp.store.keys import RunKeys
from lccp.store.open import open_store


@dataclass(frozen=True)
class Target:
    """The run's facts, and its folder on this machine, if it has one."""

    data: RunData
    folder: Path | None


def load_target(text: str, endpoint: str | None = None) -> Target:
    """The target that `text` names.

    `text` is a run's folder (it holds `run.json`), any folder that holds `report.json` files, or
    `<store URL>/<namespace>/<name>`. Raises InvalidInput, Incompatible, StoreUnavailable.
    """
    if "://" in text:
        return _in_store(text, endpoint)
    folder = Path(text)
    if (folder / "run.json").is_file():
        root = folder.resolve().parent.parent
        url, keys = f"file://{root}", RunKeys(folder.resolve().parent.name, folder.resolve().name)
        return Target(RunData.from_store(open_store(StoreConfig(url=url)), keys), folder)
    return Target(RunData.from_folder(folder), folder)


def _in_store(text: str, endpoint: str | None) -> Target:
    url, namespace, name = (["", "", *text.rstrip("/").rsplit("/", 2)])[-3:]
    if not namespace or not name or url.endswith("/") or "://" not in url:
        raise InvalidInput(f"{text}: must be <store URL>/<namespace>/<name>")
    store = open_store(StoreConfig(url=url, endpoint=endpoint))
    return Target(RunData.from_store(store, RunKeys(namespace, name)), None)
