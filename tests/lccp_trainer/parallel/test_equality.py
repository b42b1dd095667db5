"""Whatever the layout, the steps are those of plain PyTorch: losses, gradient norms and weights.

The whole table is benchmarks/equality.py; here are the rows that differ most.
"""

from pathlib import Path

import pytest
import torch
from equality import Case, Outcome, make_model, plain, trained

pytestmark = pytest.mark.long

CASES = [
    Case("hunyuan_v1_moe", 2, zero_stage=0, sequence=2),
    Case("hunyuan_v1_moe", 2, zero_stage=1, sequence=2, experts=2, micro_batch=2),
    Case("hunyuan_v1_moe", 2, zero_stage=2, experts=2, checkpointing=True),
    Case("hunyuan_v1_moe", 2, zero_stage=3, sequence=2, experts=2, checkpointing=True),
    Case("qwen3_moe", 2, zero_stage=3, sequence=2),
    Case("qwen3_moe", 2, zero_stage=1, sequence=2, experts=2),
    Case("mixtral", 2, zero_stage=1, experts=2),
    Case("deepseek_v3", 2, zero_stage=2, sequence=2, experts=2),
    Case("qwen3", 2, zero_stage=2, sequence=2, micro_batch=2),
    Case("llama", 2, zero_stage=3),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("equality")
    for case in CASES:
        make_model(case.family, root)
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[Case, Outcome]:
    return trained(CASES, folder)


SAVING = [
    Case("hunyuan_v1_moe", 2, zero_stage=1, steps=2, saves="dp2"),
    Case("hunyuan_v1_moe", 2, zero_stage=3, sequence=2, experts=2, steps=2, saves="sp2ep2"),
]
RESUMING = {
    1: [
        Case("hunyuan_v1_moe", 1, zero_stage=1, resumes="dp2"),
        Case("hunyuan_v1_moe", 1, zero_stage=0, resumes="sp2ep2"),
    ],
    2: [
        Case("hunyuan_v1_moe", 2, zero_stage=2, sequence=2, experts=2, resumes="dp2"),
        Case("hunyuan_v1_moe", 2, zero_stage=3, resumes="sp2ep2"),
    ],
    4: [Case("hunyuan_v1_moe", 4, zero_stage=1, sequence=2, experts=4, resumes="dp2")],
}


@pytest.fixture(scope="module")
def resumed(folder: Path) -> dict[Case, Outcome]:
    (folder / "store").mkdir()
    trained(SAVING, folder)
    return {
        case: end for cases in RESUMING.values() for case, end in trained(cases, folder).items()
    }


@pytest.mark.parametrize("case", [c for cs in RESUMING.values() for c in cs], ids=lambda c: c.name)
def test_a_state_goes_on_at_another_world_size_and_layout(
    case: Case, resumed: dict[Case, Outcome], folder: Path
) -> None:
    expected = plain(case.family, folder / case.family, case.steps)
    assert resumed[case].losses == pytest.approx(expected.losses[2:], abs=2e-6)
    assert resumed[case].norms == pytest.approx(expected.norms[2:], rel=2e-6)
    for name, weight in expected.weights.items():
        assert torch.allclose(resumed[case].weights[name], weight, atol=2e-5), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_steps_are_those_of_plain_pytorch(
    case: Case, found: dict[Case, Outcome], folder: Path
) -> None:
    expected = plain(case.family, folder / case.family, case.steps)
    assert found[case].losses == pytest.approx(expected.losses, abs=2e-6)
    assert found[case].norms == pytest.approx(expected.norms, rel=2e-6)
    assert set(found[case].weights) == set(expected.weights)
    for name, weight in expected.weights.items():
        assert torch.allclose(found[case].weights[name], weight, atol=2e-5), name
