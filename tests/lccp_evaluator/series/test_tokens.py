import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.contract.errors import InvalidInput
from lccp_evaluator.series.tokens import TokenCounts, Trained, index_of, step_in, tokens_in

NAMES = [
    ("5B", 5_000_000_000, None),
    ("2.5b", 2_500_000_000, None),
    ("step1000-tokens4B", 4_000_000_000, 1000),
    ("stage1-step239000-tokens1003B", 1_003_000_000_000, 239_000),
    ("step-1000-tokens-4B", 4_000_000_000, 1000),
    ("iter_0001000_tokens_4B", 4_000_000_000, 1000),
    ("ckpt-500_tokens_2b", 2_000_000_000, 500),
    ("tokens_250M", 250_000_000, None),
    ("1200k-tokens", 1_200_000, None),
    ("000000000102400", 102_400, None),
    ("checkpoint-500", None, 500),
    ("global_step1000", None, 1000),
    ("iter_0001000", None, 1000),
    ("step=0", None, 0),
    ("Qwen3-8B-step-20", None, 20),
    ("Qwen3-8B", None, None),
    ("final", None, None),
    ("footsteps1000", None, None),
    ("tokenizer-32k", None, None),
]


@pytest.mark.parametrize(("name", "tokens", "step"), NAMES, ids=[row[0] for row in NAMES])
def test_a_name_tells_tokens_or_the_step(name: str, tokens: int | None, step: int | None) -> None:
    assert (tokens_in(name), step_in(name)) == (tokens, step)


@given(st.integers(0, 10**9), st.sampled_from(("checkpoint-", "global_step", "iter_", "step")))
def test_every_step_is_read_back(step: int, word: str) -> None:
    assert step_in(f"{word}{step:07d}") == step


def a_directory(folder: Path, name: str, **state: int) -> Path:
    directory = folder / name
    directory.mkdir()
    if state:
        (directory / "trainer_state.json").write_text(json.dumps(state))
    return directory


def test_what_is_given_counts_before_the_trainers_state_and_this_before_the_name(
    tmp_path: Path,
) -> None:
    state = {"global_step": 7, "num_input_tokens_seen": 700}
    directory = a_directory(tmp_path, "checkpoint-9-tokens90K", **state)

    assert TokenCounts().of(directory) == Trained(700, 7)
    assert TokenCounts(per_step=3).of(directory) == Trained(21, 7)
    assert TokenCounts({directory.name: 5}, 3).of(directory) == Trained(5, 7)
    (directory / "trainer_state.json").unlink()
    assert TokenCounts().of(directory) == Trained(90_000, 9)


def test_a_step_alone_needs_its_tokens(tmp_path: Path) -> None:
    directory = a_directory(tmp_path, "checkpoint-4", global_step=4)

    with pytest.raises(
        InvalidInput, match=r"checkpoint-4: neither its name nor .* the tokens it .*per-step"
    ):
        TokenCounts().asked(directory)
    assert TokenCounts(per_step=1_000).asked(directory) == Trained(4_000, 4)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    directory = a_directory(tmp_path, "checkpoint-4")
    (directory / "trainer_state.json").write_text('{"global_step": 4')

    with pytest.raises(InvalidInput, match=r"trainer_state.json: is not a JSON object"):
        TokenCounts(per_step=1).of(directory)


def test_an_index_is_checked_entry_by_entry() -> None:
    assert index_of({"base": 0, "zero": "0", 500: "2B"}, "index") == {
        "base": 0,
        "zero": 0,
        "500": 2_000_000_000,
    }
    with pytest.raises(InvalidInput, match="index: final: must be 0 or a number of tokens"):
        index_of({"final": "much"}, "index")
    with pytest.raises(InvalidInput, match="index: must be a mapping"):
        index_of(["final"], "index")
