"""Convert a checkpoint of torch.distributed.checkpoint (DCP) into a Hugging Face directory.

    python dcp_to_hugging_face.py CHECKPOINT OUTPUT --base MODEL

MODEL is a Hugging Face directory with the configuration and the tokenizer of the trained model.
Weights must have its names, as in `model.state_dict()`; `--key` names the checkpoint's entry that
contains them.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer


def convert(checkpoint: Path, output: Path, base: Path, key: str) -> None:
    """Write the model of a DCP checkpoint to `output`. Raises SystemExit if names differ."""
    with TemporaryDirectory(dir=output) as scratch:
        gathered = Path(scratch) / "gathered.pt"
        dcp_to_torch_save(checkpoint, gathered)
        saved = torch.load(gathered, weights_only=True, mmap=True)
        weights = saved[key] if key else saved
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base))
        model.to(next(iter(weights.values())).dtype)
        wrong = model.load_state_dict(weights, strict=False)
        tied = set(getattr(model, "all_tied_weights_keys", ()))
        missing = [name for name in wrong.missing_keys if name not in tied]
        if missing or wrong.unexpected_keys:
            names = ", ".join((*missing, *wrong.unexpected_keys)[:3])
            raise SystemExit(f"{checkpoint}: its weights are not those of {base}: {names}")
        model.save_pretrained(output)
    AutoTokenizer.from_pretrained(base).save_pretrained(output)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--key", default="model", help='entry of the weights; "" for none')
    asked = parser.parse_args(arguments)
    convert(asked.checkpoint, asked.output, asked.base, asked.key)


if __name__ == "__main__":
    main(sys.argv[1:])
