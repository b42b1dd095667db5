from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp.foreign_formats import lacks, other_format
from lccp.model_config import CONFIG, read_model_config

OTHERS = {
    ("adapter_config.json", "adapter_model.safetensors"): "an adapter (adapter_config.json): merge",
    (".metadata", "__0_0.distcp"): "a checkpoint of torch.distributed (.metadata): convert",
    ("__1_0.distcp", "__0_0.distcp"): "a checkpoint of torch.distributed (__0_0.distcp): convert",
    ("pytorch_model_fsdp_0/__0_0.distcp", "trainer_state.json"): "a checkpoint of FSDP (pytorch_m",
    ("mp_rank_00/model_optim_rng.pt",): "a checkpoint of Megatron (mp_rank_00): convert",
    ("global_step10/mp_rank_00_model_states.pt", "zero_to_fp32.py"): "a checkpoint of DeepSpeed",
    ("model-q4_0.gguf",): "a model of llama.cpp (model-q4_0.gguf): convert it first",
    ("pytorch_model.bin", "tokenizer.json"): "pickled weights, which are never loaded (pytorch_mod",
}


@pytest.mark.parametrize(("names", "told"), OTHERS.items(), ids=[names[0] for names in OTHERS])
def test_another_format_in_place_of_a_model_is_named(
    tmp_path: Path, names: tuple[str, ...], told: str
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    with pytest.raises(InvalidInput) as refused:
        read_model_config(tmp_path)
    assert f": contains no config.json, but {told}" in str(refused.value)


def test_what_is_no_known_format_is_not_called_one(tmp_path: Path) -> None:
    for name in ("optimizer.pt", "rng_state.pth", "training_args.bin", "model.safetensors"):
        (tmp_path / name).touch()

    assert other_format(tmp_path) is None
    assert lacks(tmp_path, CONFIG, "wait") == "contains no config.json: wait"
