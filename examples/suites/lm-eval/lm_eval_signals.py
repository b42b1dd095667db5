"""An external suite: tasks of lm-evaluation-harness on a checkpoint, their metrics as signals.

    python lm_eval_signals.py --tasks capitals --include-path tasks

It reads the checkpoint that LCCP_CHECKPOINT names, and writes the file that LCCP_SIGNALS names. A
metric `acc` of the task `capitals` becomes the signal `capitals.acc`. Needs lm-eval 0.4.13.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

NAME_LENGTH_MAX = 32
LIBRARIES = ("lm_eval", "torch", "transformers")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Run tasks, and write their metrics as signals.")
    parser.add_argument("--tasks", required=True, help="names of tasks, separated by commas")
    parser.add_argument("--include-path", type=Path, help="folder of your own tasks")
    parser.add_argument("--limit", type=int, help="maximum number of samples of each task")
    parser.add_argument("--shots", type=int, help="examples before each question")
    parser.add_argument("--batch-size", type=int, default=1, help="samples of one pass")
    options = parser.parse_args()
    found = evaluated(Path(os.environ["LCCP_CHECKPOINT"]), options)
    document = document_of(found, {"limit": options.limit})
    Path(os.environ["LCCP_SIGNALS"]).write_text(json.dumps(document), encoding="utf-8")


def evaluated(checkpoint: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The results of lm-evaluation-harness."""
    import lm_eval
    import torch
    from lm_eval.tasks import TaskManager

    folder = options.include_path.resolve() if options.include_path else None
    model = {"pretrained": str(checkpoint.resolve())}
    with contextlib.chdir(folder or "."):  # paths in a task are relative to its folder
        found: dict[str, Any] = lm_eval.simple_evaluate(
            model="hf",
            model_args=model,
            tasks=options.tasks.split(","),
            task_manager=TaskManager(include_path=str(folder) if folder else None),
            num_fewshot=options.shots,
            limit=options.limit,
            batch_size=options.batch_size,
            device="cuda" if torch.cuda.is_available() else "cpu",
            log_samples=True,
        )
    return found


def document_of(found: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The document that LCCP reads, from the results of lm-evaluation-harness.

    Results of other task versions, examples or samples are distinguished, and not compared.
    """
    hashes = [s["doc_hash"] for _, own in sorted(found["samples"].items()) for s in own]
    return {
        "signals": [one for task in sorted(found["samples"]) for one in signals(found, task)],
        "samplesDigest": hashlib.sha256("".join(hashes).encode()).hexdigest(),
        "settings": settings | {"versions": found["versions"], "shots": found["n-shot"]},
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }


def signals(found: dict[str, Any], task: str) -> Iterator[dict[str, Any]]:
    """The metrics of one task, without those that are not numbers."""
    results, n = found["results"][task], found["n-samples"][task]["effective"]
    for key, value in results.items():
        metric, _, how = key.partition(",")
        if not how or metric.endswith("_stderr") or not _is_number(value):
            continue
        error = results.get(f"{metric}_stderr,{how}")
        rises = found["higher_is_better"][task].get(metric) is not False
        yield {
            "name": name_of(task, metric, how),
            "title": f"{task} {metric}"[:63],
            "value": value,
            "n": n,
            "better": "Higher" if rises else "Lower",
        } | ({"standardError": error} if _is_number(error) else {})


def name_of(task: str, metric: str, how: str) -> str:
    """`capitals.acc`, with the filter's name if there is one; in LCCP's spelling of names."""
    parts = [task, metric, *([how] if how != "none" else [])]
    name = re.sub(r"[^a-z0-9_.-]", "-", ".".join(parts).lower())
    if len(name) > NAME_LENGTH_MAX:
        raise SystemExit(f"{name}: has more than {NAME_LENGTH_MAX} characters: rename the task")
    return name


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


if __name__ == "__main__":
    main()
