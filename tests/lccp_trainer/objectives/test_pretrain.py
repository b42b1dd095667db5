from pathlib import Path
from typing import Any

import pytest
import torch

from lccp.api.spec.model import ModelSpec
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_model
from lccp_trainer.objectives.pretrain import summed_nll


@pytest.fixture(scope="module")
def model(tiny: Path) -> Any:
    spec = ModelSpec.parse({"source": "model", "targetContextLength": 128}, "model")
    torch.manual_seed(0)
    return load_model(spec, tiny / "model", load_config(spec, tiny / "model"), torch.float32)


def nll(model: Any, rows: list[list[int]], positions: list[list[int]]) -> float:
    ids, at = torch.tensor(rows), torch.tensor(positions)
    with torch.no_grad():
        logits = model(input_ids=ids, position_ids=at, use_cache=False).logits
        return float(summed_nll(logits, ids, at))


def test_packed_documents_do_not_see_each_other(model: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    documents = [torch.randint(3, 60, (n,), generator=generator).tolist() for n in (20, 7, 31)]
    alone = [nll(model, [d], [list(range(len(d)))]) for d in documents]
    row = [token for document in documents for token in document]
    positions = [at for document in documents for at in range(len(document))]
    assert nll(model, [row], [positions]) == pytest.approx(sum(alone), rel=1e-5)
    whole = nll(model, [row], [list(range(len(row)))])
    assert abs(whole - sum(alone)) > 0.1


def test_the_first_token_of_a_document_is_not_predicted() -> None:
    tokens = torch.tensor([[0, 1, 0, 1]])
    sure = torch.full((1, 4, 2), -30.0)
    for at, following in ((0, 1), (2, 1)):
        sure[0, at, following] = 30.0
    sure[0, 1, 1] = 30.0
    assert summed_nll(sure, tokens, torch.tensor([[0, 1, 0, 1]])) == pytest.approx(0, abs=1e-6)
    assert summed_nll(sure, tokens, torch.tensor([[0, 1, 2, 3]])) == pytest.approx(60, rel=1e-3)
