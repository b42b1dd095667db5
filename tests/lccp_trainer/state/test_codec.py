from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lccp.contract.errors import InvalidInput
from lccp_trainer.state import codec

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
tensors = st.builds(
    lambda numbers, dtype: torch.tensor(numbers).to(dtype),
    st.lists(st.floats(-9, 9, width=32)),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.uint8]),
)
values = st.recursive(
    scalars | tensors,
    lambda below: (
        st.lists(below, max_size=3)
        | st.tuples(below, below)
        | st.dictionaries(st.text() | st.integers(), below, max_size=3)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=values)
def test_plain_data_with_tensors_comes_back_as_it_was(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "value.safetensors"
    codec.save(value, path)
    assert same(codec.load(path), value)


def test_views_of_one_buffer_come_back(tmp_path: Path) -> None:
    buffer = torch.arange(10.0)
    codec.save([buffer[:4], buffer[2:6], buffer], tmp_path / "a")
    assert same(codec.load(tmp_path / "a"), [buffer[:4], buffer[2:6], buffer])


def test_an_enum_comes_back_as_its_value(tmp_path: Path) -> None:
    codec.save({"stage": Enum("Stage", {"ONE": 1})["ONE"]}, tmp_path / "a")
    assert codec.load(tmp_path / "a") == {"stage": 1}


def test_an_object_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\.a\[1\]: a PosixPath can't be saved"):
        codec.save({"a": [1, tmp_path]}, tmp_path / "a")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    codec.save({"a": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InvalidInput, match="is damaged or cut short"):
        codec.load(path)
