"""Checkpoints in other formats than Hugging Face's, which trainers leave.

They are named where a Hugging Face model is missing, so that their user sees what to do.
"""

from pathlib import Path

CONVERT = "convert it first (lccp watch: --convert, of a run: source.convert)"
OTHER_FORMATS = (
    ("adapter_config.json", "an adapter", "merge it into the weights of its base model"),
    (".metadata", "a checkpoint of torch.distributed", CONVERT),
    ("*.distcp", "a checkpoint of torch.distributed", CONVERT),
    ("pytorch_model_fsdp*", "a checkpoint of FSDP", CONVERT),
    ("global_step*", "a checkpoint of DeepSpeed", CONVERT),
    ("*_model_states.pt", "a checkpoint of DeepSpeed", CONVERT),
    ("mp_rank_*", "a checkpoint of Megatron", CONVERT),
    ("pytorch_model*.bin", "pickled weights, which are never loaded", CONVERT),
    ("consolidated*.pth", "pickled weights, which are never loaded", CONVERT),
    ("*.gguf", "a model of llama.cpp", CONVERT),
)
"""Names of files and folders in checkpoints of other formats, what they are, and what to do."""


def other_format(directory: Path) -> tuple[str, str] | None:
    """The format that `directory` holds, with a file that shows it, and what to do about it.

    None if it is none of those known.
    """
    for pattern, what, remedy in OTHER_FORMATS:
        found = min((path.name for path in directory.glob(pattern)), default=None)
        if found is not None:
            return f"{what} ({found})", remedy
    return None


def lacks(directory: Path, name: str, wanted: str) -> str:
    """That `directory` contains no `name`, and what to do: `wanted`, if it holds nothing known."""
    other = other_format(directory)
    if other is None:
        return f"contains no {name}: {wanted}"
    what, remedy = other
    return f"contains no {name}, but {what}: {remedy}"
