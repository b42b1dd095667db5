from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from lccp.api.spec.model import ModelSpec
from lccp.cost.layout import Layout, StepShape
from lccp_trainer.data.stream import Batch
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_model
from lccp_trainer.objectives.pretrain import Pretraining
from lccp_trainer.parallel import attention
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.shard import shards

DOCUMENTS = [np.random.default_rng(n).integers(3, 60, n).astype(np.int32) for n in (20, 7, 31, 6)]


@pytest.fixture(scope="module")
def objective(tiny: Path) -> Any:
    attention.register()
    spec = ModelSpec.parse({"source": "model", "targetContextLength": 128}, "model")
    config = load_config(spec, tiny / "model")
    model = load_model(spec, tiny / "model", config, torch.float32, attention.IMPLEMENTATION)
    return Pretraining(model)


def nll(objective: Any, tokens: np.ndarray[Any, Any], positions: np.ndarray[Any, Any]) -> float:
    layout = Layout(1)
    shape = StepShape(1, tokens.shape[1], layout, 1)
    batch, groups = Batch(tokens, positions), Groups(layout, 0, None)
    (shard,) = shards(batch, shape, groups, torch.device("cpu"))
    with torch.no_grad():
        return float(objective(shard)[0])


def test_a_document_s_nll_is_that_of_transformers(objective: Any, tiny: Path) -> None:
    (document, *_) = DOCUMENTS
    model = AutoModelForCausalLM.from_pretrained(tiny / "model")
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(document)[None].long()).logits
    targets = torch.from_numpy(document[1:]).long()
    expected = float(cross_entropy(logits[0, :-1], targets, reduction="sum"))
    alone = nll(objective, document[None], np.arange(len(document), dtype=np.int32)[None])
    assert alone == pytest.approx(expected, rel=1e-5)


def test_packed_documents_do_not_see_each_other(objective: Any) -> None:
    places = [np.arange(len(document), dtype=np.int32) for document in DOCUMENTS]
    pairs = zip(DOCUMENTS, places, strict=True)
    alone = sum(nll(objective, document[None], place[None]) for document, place in pairs)
    row, restarting = np.concatenate(DOCUMENTS)[None], np.concatenate(places)[None]
    assert nll(objective, row, restarting) == pytest.approx(alone, rel=1e-5)
    joined = nll(objective, row, np.arange(row.shape[1], dtype=np.int32)[None])
    assert abs(joined - alone) > 0.1


def test_each_source_s_loss_is_that_of_its_own_documents(objective: Any) -> None:
    places = [np.arange(len(document), dtype=np.int32) for document in DOCUMENTS]
    of = [0, 1, 0, 1]
    alone = [nll(objective, d[None], p[None]) for d, p in zip(DOCUMENTS, places, strict=True)]
    sources = [np.full(len(d), n, dtype=np.int32) for d, n in zip(DOCUMENTS, of, strict=True)]
    batch = Batch(*(np.concatenate(parts)[None] for parts in (DOCUMENTS, places)))
    batch = replace(batch, sources=np.concatenate(sources)[None])
    shape = StepShape(1, batch.tokens.shape[1], Layout(1), 1)
    (shard,) = shards(batch, shape, Groups(Layout(1), 0, None), torch.device("cpu"))
    objective.watch_losses(2, 64, 128)
    with torch.no_grad():
        objective(shard)
    expected = [
        sum(alone[n::2]) / sum(len(document) - 1 for document in DOCUMENTS[n::2]) for n in (0, 1)
    ]
    objective.losses.exchange()
    assert objective.losses.take().by_source == pytest.approx(expected, rel=1e-5)


def test_the_weights_keep_their_names(objective: Any, tiny: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny / "model")
    assert set(objective.model.state_dict()) == set(model.state_dict())
