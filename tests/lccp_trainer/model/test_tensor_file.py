from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lccp_trainer.model.tensor_file import DTYPES, write_tensors


def test_safetensors_reads_what_is_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors = {str(kind): torch.randint(0, 2, (3, 5)).to(kind) for kind in DTYPES} | {
        "scalar": torch.tensor(1.5),
        "none": torch.empty(0, 4),
        "ä": torch.randn(4, 4).T,
    }
    write_tensors(tensors, tmp_path / "file", metadata={"format": "pt"})
    found = load_file(tmp_path / "file")
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name
    with safe_open(tmp_path / "file", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_a_type_that_safetensors_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_tensors({"a": torch.zeros(2, dtype=torch.complex64)}, tmp_path / "file", {})
    assert not (tmp_path / "file").exists()
