"""The inputs of a fine-tuning, on each node: the checkpoint, and its records as tokens."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.api.objects.manifest import Manifest
from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput
from lccp.store.directory import download_directory
from lccp.store.objects import read
from lccp.store.port import Store
from lccp_trainer.data.documents import files_of
from lccp_trainer.data.records.folder import RecordFolder, Rules, is_ready, prepare
from lccp_trainer.data.records.reading import read_records
from lccp_trainer.data.records.rendering import PLAIN_TEMPLATE
from lccp_trainer.data.sharding import writing
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_tokenizer
from lccp_trainer.worker import Worker

WHERE = "sft.path"
TEMPLATE_FILE = "chat_template.jinja"
"""Beside a tokenizer; it has precedence over a template in the tokenizer's configuration."""
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class SFTInputs:
    """The inputs of a fine-tuning."""

    checkpoint: Manifest
    directory: Path
    """The checkpoint's files; its tokenizer has the chat template that was used."""
    records: RecordFolder


def inputs(worker: Worker, store: Store, spec: LCCPRunSpec, alive: Callable[[], None]) -> SFTInputs:
    """The inputs on this node: one process fetches and tokenizes them, the others wait.

    Args:
        spec: of the fine-tuning, expressed as a run.
        alive: called meanwhile; an exception that it raises ends the wait.

    Raises:
        InvalidInput: the checkpoint is damaged, or the records can't be trained on.
    """
    keys = worker.fine_tuning.keys
    checkpoint = read(store, keys.run.checkpoint_manifest(keys.checkpoint_tokens), Manifest)
    directory, folder = worker.scratch / "checkpoint", worker.scratch / "records"
    if worker.local_rank == 0:
        prefix = keys.run.checkpoint(checkpoint.tokens, checkpoint.writer)
        download_directory(store, prefix, checkpoint.files, directory, on_bytes=lambda _: alive())
        _tokenize(worker, spec, directory, folder, alive)
    while not is_ready(folder):
        alive()
        time.sleep(POLL_SECONDS)
    return SFTInputs(checkpoint, directory, RecordFolder(folder))


def _tokenize(
    worker: Worker, spec: LCCPRunSpec, directory: Path, folder: Path, alive: Callable[[], None]
) -> None:
    sft = worker.fine_tuning.sft
    if sft.template == "Plain":
        (directory / TEMPLATE_FILE).write_text(PLAIN_TEMPLATE)
    tokenizer = load_tokenizer(spec.model, directory, load_config(spec.model, directory))
    if tokenizer.eos_token_id is None:
        raise InvalidInput(
            "sft: the checkpoint's tokenizer names no end-of-text token, with which every record "
            "ends: train it from a model.source whose tokenizer_config.json has an eos_token"
        )
    rules = Rules(
        template=_template(tokenizer),
        row_tokens=spec.model.target_context_length,
        left_out_max=sft.bad_records_max,
        where=WHERE,
    )
    files = files_of(worker.base / sft.path, "sft")
    read = (found for file in files for found in read_records(file, WHERE))
    with writing(folder):
        prepare(read, tokenizer, rules, folder, alive)


def _template(tokenizer: Any) -> str | None:
    """The chat template of the tokenizer."""
    try:
        return str(tokenizer.get_chat_template())
    except ValueError:
        return None
