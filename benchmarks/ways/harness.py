"""lm-evaluation-harness: the likelihood of an answer after its prompt, only for perplexity."""

import time
from typing import Any

from ways.cost import Cost, costing
from ways.task import Outcome, Task, passages

BATCHES = (1, 2, 4)


def harness(task: Task) -> Outcome:
    """Its `loglikelihood` for the tokens of the same samples, at its best batch size."""
    asked = passages(task, task.read_by_peers)
    requests = [_request(passage) for passage in asked.values()]
    model = _loaded(task)
    model.batch_size_per_gpu = _best_batch(model, requests)
    with costing() as cost:
        found = model._loglikelihood_tokens(requests, disable_tqdm=True)
    lengths = [stop - start for start, stop in (one.answer for one in asked.values())]
    nll = {
        number: -total / length
        for number, (total, _), length in zip(asked, found, lengths, strict=True)
    }
    share = task.all_for_read
    return Outcome(Cost(share * cost.seconds, share * cost.cpu_seconds, cost.memory_mib), nll, [])


def _request(passage: Any) -> tuple[tuple[str, str], list[int], list[int]]:
    """Prompt and answer as tokens, which it accepts beside texts that it does not have to read."""
    ids, start = passage.ids.tolist(), passage.answer[0]
    assert passage.answer[1] == len(ids)
    return ("", str(len(ids))), ids[:start], ids[start:]


def _best_batch(model: Any, requests: list[Any]) -> int:
    """The fastest on the shortest samples, as many as the largest batch has."""
    few = sorted(requests, key=lambda one: len(one[1]))[: max(BATCHES)]
    seconds = {}
    for batch in BATCHES:
        model.batch_size_per_gpu = batch
        start = time.process_time()
        model._loglikelihood_tokens(few, disable_tqdm=True)
        seconds[batch] = time.process_time() - start
    return min(seconds, key=lambda batch: seconds[batch])


def _loaded(task: Task) -> Any:
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(task.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(task.model)
    longest = max(task.lengths) + 1
    return HFLM(pretrained=model, tokenizer=tokenizer, max_length=longest, device="cpu")
