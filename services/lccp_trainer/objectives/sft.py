"""Supervised fine-tuning of a checkpoint: only the completions of its records are predicted."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from lccp.api.identity import differences
from lccp.api.objects.fine_tuning import FineTuning
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.sft import LoRASpec
from lccp.contract.errors import Conflict, Incompatible
from lccp.cost.fine_tuning import fine_tuning_run, with_budget
from lccp.store.keys import FineTuningKeys
from lccp.store.objects import read, write_if_absent
from lccp.store.port import Store
from lccp_trainer.data.records.rows import planned_rows
from lccp_trainer.data.records.stream import RecordStream
from lccp_trainer.model.adapters import with_adapters
from lccp_trainer.model.config import load_config
from lccp_trainer.model.source import context_length, read_config
from lccp_trainer.objectives.pretrain import Pretraining
from lccp_trainer.objectives.sft_inputs import SFTInputs, inputs
from lccp_trainer.objectives.task import Task
from lccp_trainer.worker import Worker

logger = logging.getLogger(__name__)


def fine_tuning(worker: Worker, store: Store, alive: Callable[[], None]) -> Task:
    """The fine-tuning that `worker` was ordered to do. Called on every rank.

    Args:
        alive: called while inputs are prepared; an exception that it raises ends that.

    Raises:
        InvalidInput: the checkpoint is damaged, or the records can't be trained on.
        Incompatible: the store holds part of another fine-tuning of this checkpoint.
    """
    keys, sft = worker.fine_tuning.keys, worker.fine_tuning.sft
    spec = fine_tuning_run(worker.spec, sft)
    given = inputs(worker, store, spec, alive)
    length = spec.model.target_context_length
    rows = planned_rows(given.records.lengths.tolist(), length, sft.epochs, sft.seed)
    steps = -(-len(rows) // (spec.trained.global_batch_tokens // length))
    spec = with_budget(spec, sft, steps)
    if worker.rank == 0:
        _claim(store, keys, _identity(worker, given, spec))
        _tell(given, len(rows) * length, steps, sft.epochs)
    return Task(
        spec=spec,
        directory=given.directory,
        config=load_config(spec.model, given.directory),
        source_context=context_length(read_config(given.directory), given.directory),
        stream=RecordStream(given.records, rows, length),
        module=Pretraining if sft.lora is None else partial(_adapted, lora=sft.lora, seed=sft.seed),
        extendable=False,
    )


def _adapted(model: Any, lora: LoRASpec, seed: int) -> Pretraining:
    torch.manual_seed(seed)  # Adapters begin at random, but equal on every rank.
    return Pretraining(with_adapters(model, lora))


def _identity(worker: Worker, given: SFTInputs, spec: LCCPRunSpec) -> FineTuning:
    summary = given.records.summary
    return FineTuning(
        settings=worker.fine_tuning.sft,
        checkpoint_digest=given.checkpoint.digest,
        chat_template=summary.template,
        records=summary.records,
        left_out=summary.left_out,
        records_digest=summary.digest,
        predicted_tokens=summary.predicted_tokens,
        tokens=spec.trained.tokens,
    )


def _claim(store: Store, keys: FineTuningKeys, own: FineTuning) -> None:
    """Record what is fine-tuned; raise Incompatible if something else is recorded already."""
    try:
        write_if_absent(store, keys.identity, own)
    except Conflict:
        there = read(store, keys.identity, FineTuning)
        difference = next(differences(there.identity(), own.identity()), None)
        if difference is not None:
            raise Incompatible(
                f"sft: {store.url}: {keys.identity} is of another fine-tuning: {difference}: go "
                f"back to that, or delete {keys.prefix}"
            ) from None


def _tell(given: SFTInputs, row_tokens: int, steps: int, epochs: int) -> None:
    summary, tokens = given.records.summary, int(given.records.lengths.sum())
    logger.info(
        "%d records (%d left out), %d tokens, of which %d are predicted; %d epochs are %d steps, "
        "%.1f %% of them padding",
        summary.records,
        summary.left_out,
        tokens,
        summary.predicted_tokens,
        epochs,
        steps,
        100 - 100 * epochs * tokens / row_tokens,
    )
