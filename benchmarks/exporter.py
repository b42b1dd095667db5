"""The exporter with many runs: its first reading, a scrape, memory, and a reading at rest.

make bench BENCH=exporter
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[:0] = map(str, Path(__file__).parents[1].glob("tests/support/*"))

import a_run  # noqa: E402

from lccp.store.file import FileStore  # noqa: E402
from lccp.store.keys import RunKeys  # noqa: E402

SCRAPES = 10
START_SECONDS = 600
REFRESH_SECONDS = 15


def fill(folder: Path, runs: int, checkpoints: int) -> None:
    """Write `runs` equal runs, each with `checkpoints` checkpoints of the fixture's shape."""
    made = FileStore(folder / "one")
    spacing = a_run.CHECKPOINTS[1]
    tokens = tuple(n * spacing for n in range(checkpoints))
    reports = a_run.reports(tokens)
    stored = a_run.StoredRun(
        reports,
        a_run.history(100),
        a_run.verdict(reports),
        a_run.heartbeat(tokens[-1], datetime.now(UTC)),
        a_run.journal(stopped=False),
    )
    a_run.put(made, stored)
    for n in range(runs):
        shutil.copytree(folder / "one" / a_run.KEYS.prefix, folder / "runs" / keys_of(n).prefix)


def keys_of(number: int) -> RunKeys:
    return RunKeys("default", f"run-{number:04d}")


def beat(folder: Path, runs: int) -> None:
    """Every trainer writes its heartbeat."""
    data = a_run.heartbeat(1_000, datetime.now(UTC)).to_json()
    for n in range(runs):
        path = folder / "runs" / keys_of(n).heartbeat(a_run.WRITER)
        path.with_suffix(".new").write_bytes(data)
        path.with_suffix(".new").rename(path)


def scrape(port: int) -> tuple[float, bytes]:
    """Seconds of a scrape, and its response."""
    start = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        page = answer.read()
    return time.perf_counter() - start, page


def sample(page: bytes, name: str) -> float:
    lines = [line for line in page.splitlines() if line.startswith(name.encode())]
    return float(lines[0].rsplit(b" ", 1)[1]) if lines else 0.0


def memory_mib(pid: int) -> dict[str, int]:
    """Current and peak resident memory, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    names = {"now": "VmRSS", "peak": "VmHWM"}
    return {name: int(found[key].split()[0]) // 1024 for name, key in names.items()}


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(folder: Path, runs: int) -> dict[str, Any]:
    """The resources that an exporter on one core needs for the store in `folder`."""
    command = [sys.executable, "-m", "lccp_exporter", "--store", f"file://{folder}/runs"]
    command += ["--host", "127.0.0.1", "--port", "0", "--refresh-seconds", str(REFRESH_SECONDS)]
    environ = os.environ | {"MALLOC_ARENA_MAX": "2"}
    process = subprocess.Popen(
        ["taskset", "--cpu-list", "0", *command], env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())["message"]
        port = int(line.rsplit(":", 1)[1].split("/")[0])
        end = time.monotonic() + START_SECONDS
        while sample(page := scrape(port)[1], "lccp_exporter_store_runs") < runs:
            assert time.monotonic() < end, "the first reading did not end"
            time.sleep(0.5)
        spent = processor_seconds(process.pid)
        first = sample(page, "lccp_exporter_store_refresh_duration_seconds")
        scrapes = sorted(scrape(port)[0] for _ in range(SCRAPES))
        before, start = processor_seconds(process.pid), time.monotonic()
        time.sleep(2 * REFRESH_SECONDS)
        rest = (processor_seconds(process.pid) - before) / (time.monotonic() - start)
        beat(folder, runs)
        before, start = processor_seconds(process.pid), time.monotonic()
        time.sleep(REFRESH_SECONDS + 5)
        busy = processor_seconds(process.pid) - before
        return {
            "runs": runs,
            "series": sum(not line.startswith(b"#") for line in page.splitlines()),
            "page MiB": round(len(page) / 2**20, 1),
            "first reading s": round(first, 1),
            "processor s until then": round(spent, 1),
            "scrape median s": round(scrapes[SCRAPES // 2], 3),
            "scrape longest s": round(scrapes[-1], 3),
            "memory MiB": memory_mib(process.pid),
            "processor at rest %": round(100 * rest, 1),
            "processor s for a heartbeat of every run": round(busy, 2),
        }
    finally:
        process.terminate()
        process.wait(timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--checkpoints", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name), options.runs, options.checkpoints)
        print(json.dumps(measured(Path(name), options.runs), indent=1))


if __name__ == "__main__":
    main()
