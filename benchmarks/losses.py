"""What looking for lost run.json files costs the operator: processor time, of this process alone.

An own SeaweedFS holds the runs, which are at rest; the share of an operator that looks for losses
runs for some rounds, without an API server.

    python benchmarks/losses.py [--runs 1000] [--rounds 4]
"""

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]
sys.path[:0] = map(str, ROOT.glob("tests/support/*"))

from seaweedfs import find_weed, running_seaweedfs  # noqa: E402

from lccp.store.keys import RunKeys  # noqa: E402
from lccp.store.open import open_store  # noqa: E402
from lccp.store.port import Store  # noqa: E402
from lccp_operator.kubernetes.backend import KubernetesWorkloads  # noqa: E402
from lccp_operator.kubernetes.reconcile.emptied import ROUND_SECONDS, EmptiedPrefixes  # noqa: E402
from lccp_operator.kubernetes.reconcile.memory import Memories, RunMemory  # noqa: E402
from lccp_operator.kubernetes.store_health import StoreHealth  # noqa: E402
from lccp_operator.kubernetes.workloads.seen import RunKey  # noqa: E402
from lccp_operator.observe import StoreObserver  # noqa: E402


def stored(store: Store, runs: int) -> Memories:
    """Memories of as many runs, whose run.json the store holds."""
    memories = Memories()
    for number in range(runs):
        key = RunKey("lab", f"run-{number}")
        store.put(RunKeys(*key).identity, b"{}")
        observer = StoreObserver(store, RunKeys(*key))
        observer.found_run = True
        memories[key] = RunMemory("uid", "default", cast(KubernetesWorkloads, None), observer)
    return memories


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    weed, told = find_weed(), list[RunKey]()
    assert weed is not None, "no weed on the PATH"
    with tempfile.TemporaryDirectory() as folder, running_seaweedfs(weed, Path(folder)) as server:
        config = server.config("runs", server.credentials(Path(folder) / "keys"))
        store = open_store(config)
        memories = stored(store, options.runs)
        health = StoreHealth(store, lambda _: None)
        prefixes = EmptiedPrefixes(memories, {"default": health}, told.append)
        stop, leading = threading.Event(), threading.Event()
        leading.set()
        began, used = time.monotonic(), time.process_time()
        looking = threading.Thread(target=prefixes.follow, args=(stop, leading))
        looking.start()
        time.sleep(options.rounds * ROUND_SECONDS)
        used, lasted = time.process_time() - used, time.monotonic() - began
        stop.set()
        looking.join()
    print(f"{options.runs} runs, {options.rounds} rounds: {100 * used / lasted:.2f} % of a core")


if __name__ == "__main__":
    main()
