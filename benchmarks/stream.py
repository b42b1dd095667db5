"""The cost of a rank's data: the start, the memory, and each draw of a batch.

Two sources of token shards are generated; a tenth of their documents is long. Their tokens are
holes in files, so they take no space on the disk; lengths and offsets are real. The first, the
middle and the last of the simulated ranks are run, each in a separate process: it opens the
sources, and draws batches with one row of its own, as if the global batch had a row for each rank
of the largest number. The worst of them is reported.

    python benchmarks/stream.py [--documents 100000 10000000] [--ranks 1 16 256] [--json FILE]
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

SHARDS = 64
LONG_SHARE = 0.1
MEDIAN_TOKENS = {"long": 40_000, "short": 400}
SIGMA = 0.8
"""Standard deviation of the logarithm of the lengths."""
LENGTHS = (32_768, 65_536)
"""Contexts of source and target, tokens."""
DRAWS = 20
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Measured:
    """The cost for one rank."""

    documents: int
    ranks: int
    start_seconds: float
    """From the start to the first planned row, excluding libraries."""
    memory_bytes: int
    """Above the libraries, including pages of mapped files."""
    draw_seconds: float
    """Median."""


def make_source(folder: Path, documents: int, median_tokens: int) -> None:
    """Write a folder of shards with `documents` documents of log-normal lengths."""
    from lccp_trainer.data.shards import ShardIndex, ShardRecord, write_index

    folder.mkdir()
    rng = np.random.default_rng(0)
    records = []
    for number in range(SHARDS):
        count = documents // SHARDS + (number < documents % SHARDS)
        lengths = np.maximum(1, rng.lognormal(np.log(median_tokens), SIGMA, count)).astype("<i8")
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype("<i8")
        name = f"shard-{number:05d}"
        (folder / f"{name}.offsets").write_bytes(offsets.tobytes())
        with (folder / f"{name}.tokens").open("wb") as tokens:
            tokens.truncate(4 * int(offsets[-1]))
        records.append(
            ShardRecord(
                name=name, input=name, documents=count, tokens=int(offsets[-1]), sha256=name
            )
        )
    write_index(folder, ShardIndex(tokenizer_digest="none", shards=tuple(records)))


def measure(base: Path, documents: int, ranks: int, rank: int, rows: int) -> Measured:
    """Open the sources and draw, as `rank` of `ranks`."""
    from lccp.api.spec.data import DataSpec
    from lccp_trainer.data.stream import open_stream

    sources = [
        {"name": name, "kind": name.title(), "path": name, "format": "Tokens"}
        for name in MEDIAN_TOKENS
    ]
    data = DataSpec.parse({"sources": sources}, "data")
    before, started = _memory(), time.perf_counter()
    stream = open_stream(data, [base / name for name in MEDIAN_TOKENS], LENGTHS)
    position = stream.start()
    stream.packing.rows(position, 1)
    start = time.perf_counter() - started
    own = slice(rank * rows // ranks, rank * rows // ranks + 1)
    draws = []
    for _ in range(DRAWS):
        began = time.perf_counter()
        _, position = stream.next_batch(position, rows, own)
        draws.append(time.perf_counter() - began)
    return Measured(documents, ranks, start, _memory() - before, median(draws))


def _memory() -> int:
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def worst(base: Path, documents: int, ranks: int, rows: int) -> Measured:
    """The worst of the first, the middle and the last rank."""
    spawn = multiprocessing.get_context("spawn")
    found = []
    for rank in sorted({0, ranks // 2, ranks - 1}):
        with ProcessPoolExecutor(1, spawn) as pool:
            found.append(pool.submit(measure, base, documents, ranks, rank, rows).result())
    return Measured(
        documents,
        ranks,
        max(one.start_seconds for one in found),
        max(one.memory_bytes for one in found),
        max(one.draw_seconds for one in found),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 10_000_000])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = []
    for documents in asked.documents:
        with tempfile.TemporaryDirectory(prefix="lccp-stream-") as folder:
            long = int(documents * LONG_SHARE)
            for name, count in (("long", long), ("short", documents - long)):
                make_source(Path(folder) / name, count, MEDIAN_TOKENS[name])
            rows = max(asked.ranks)
            found += [worst(Path(folder), documents, ranks, rows) for ranks in asked.ranks]
    _show(found)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")


def _show(found: list[Measured]) -> None:
    table = Table("documents", "ranks", "start, s", "memory, MiB", "draw, ms", box=None)
    for one in found:
        table.add_row(
            f"{one.documents:,}",
            f"{one.ranks}",
            f"{one.start_seconds:.2f}",
            f"{one.memory_bytes / MEBIBYTE:.0f}",
            f"{1_000 * one.draw_seconds:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
