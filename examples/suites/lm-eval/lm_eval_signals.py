"""An external suite: tasks of lm-evaluation-harness on a checkpoint, their metrics as signals.

    python lm_eval_signals.py --tasks capitals --include-path tasks

It reads the checkpoint that LCCP_CHECKPOINT names, and writes the file that LCCP_SIGNALS names. A
metric `acc` of the task `capitals` becomes the signal `capitals.acc`. A group that averages its
tasks, such as `ruler` or `mmlu`, becomes the signals of its averages. Needs lm-eval 0.4.13.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

NAME_LENGTH_MAX = 32
DIGEST_LENGTH = 6
ABSENT = -1
LIBRARIES = ("lm_eval", "torch", "transformers")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Run tasks, and write their metrics as signals.")
    parser.add_argument("--tasks", required=True, help="names of tasks, separated by commas")
    parser.add_argument("--include-path", type=Path, help="folder of your own tasks")
    parser.add_argument("--limit", type=int, help="maximum number of samples of each task")
    parser.add_argument("--shots", type=int, help="examples before each question")
    parser.add_argument("--batch-size", type=int, default=1, help="samples of one pass")
    parser.add_argument(
        "--metadata",
        type=json.loads,
        default={},
        help='what tasks are made from, as JSON: {"max_seq_lengths": [4096, 8192]} for ruler',
    )
    options = parser.parse_args()
    found = evaluated(Path(os.environ["LCCP_CHECKPOINT"]), options)
    settings = {"limit": options.limit, "metadata": options.metadata}
    document = document_of(found, settings, options.tasks.split(","))
    Path(os.environ["LCCP_SIGNALS"]).write_text(json.dumps(document), encoding="utf-8")


def evaluated(checkpoint: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The results of lm-evaluation-harness."""
    import lm_eval
    import torch
    from lm_eval.tasks import TaskManager

    folder = options.include_path.resolve() if options.include_path else None
    model = {"pretrained": str(checkpoint.resolve())}
    made_from = model | options.metadata  # some tasks tokenize their prompts, to fit a length
    with contextlib.chdir(folder or "."):  # paths in a task are relative to its folder
        found: dict[str, Any] = lm_eval.simple_evaluate(
            model="hf",
            model_args=model,
            tasks=options.tasks.split(","),
            task_manager=TaskManager(
                include_path=str(folder) if folder else None, metadata=made_from
            ),
            num_fewshot=options.shots,
            limit=options.limit,
            batch_size=options.batch_size,
            device="cuda" if torch.cuda.is_available() else "cpu",
            log_samples=True,
        )
    return found


def document_of(
    found: dict[str, Any], settings: dict[str, Any], asked: Sequence[str] = ()
) -> dict[str, Any]:
    """The document that LCCP reads, from the results of lm-evaluation-harness.

    Results of other task versions, examples or samples are distinguished, and not compared.
    """
    hashes = [s["doc_hash"] for _, own in sorted(found["samples"].items()) for s in own]
    return {
        "signals": list(signals(found, asked)),
        "samplesDigest": hashlib.sha256("".join(hashes).encode()).hexdigest(),
        "settings": settings | {"versions": found["versions"], "shots": found["n-shot"]},
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }


def signals(found: dict[str, Any], asked: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The metrics of tasks and groups that are numbers and were measured.

    A metric that a group averages stands for its tasks', except those that are also `asked` for.
    """
    for name, results in sorted(found["results"].items()):
        better = found["higher_is_better"].get(name, {})
        for key, value in results.items():
            metric, _, how = key.partition(",")
            n = _count(found, name, metric, how)
            is_covered = name not in asked and _is_averaged(found, name, key)
            if n == 0 or metric.endswith("_stderr") or not _is_number(value) or is_covered:
                continue
            error = results.get(f"{metric}_stderr,{how}")
            yield {
                "name": name_of(name, metric, how),
                "title": f"{name} {metric}"[:63],
                "value": value,
                "n": n,
                "better": "Lower" if better.get(metric) is False else "Higher",
            } | ({"standardError": error} if _is_number(error) else {})


def name_of(task: str, metric: str, how: str) -> str:
    """`capitals.acc`, with the filter's name if there is one; in LCCP's spelling of names.

    One that is too long ends with a digest of the whole.
    """
    parts = [task, metric, *([how] if how != "none" else [])]
    name = re.sub(r"[^a-z0-9_.-]", "-", ".".join(parts).lower())
    if len(name) <= NAME_LENGTH_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{name[: NAME_LENGTH_MAX - DIGEST_LENGTH - 1]}-{digest}"


def _below(found: dict[str, Any], name: str) -> set[str]:
    """The tasks and groups in a group, at any depth."""
    own = found["group_subtasks"].get(name, [])
    return {*own, *(one for each in own for one in _below(found, each))}


def _is_averaged(found: dict[str, Any], name: str, key: str) -> bool:
    """Whether a group that `name` is in gives the average of its metric `key`."""
    groups = found.get("groups", {})
    return any(key in own and name in _below(found, group) for group, own in groups.items())


def _count(found: dict[str, Any], name: str, metric: str, how: str) -> int:
    """The samples of which a metric is the mean: RULER writes -1 for prompts of other lengths."""
    tasks = found["samples"].keys() & {name, *_below(found, name)}
    own = [sample for task in tasks for sample in found["samples"][task]]
    return sum(one["filter"] == how and one.get(metric, ABSENT) != ABSENT for one in own)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


if __name__ == "__main__":
    main()
