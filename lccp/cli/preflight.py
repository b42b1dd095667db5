"""What a manifest names must be there before anything is begun on this machine."""

from collections.abc import Iterator
from pathlib import Path

from lccp.api.errors import InvalidInput
from lccp.api.run import LCCPRun

CONFIG = "config.json"
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")


def check_files(run: LCCPRun, manifest: Path) -> None:
    """Raise InvalidInput, with file and field, for the first path in `run` that leads nowhere."""
    for fault in _faults(run, manifest.parent):
        raise InvalidInput(f"{manifest}: {fault}")


def _faults(run: LCCPRun, base: Path) -> Iterator[str]:
    yield from _model_faults(base / run.spec.model.source)
    for i, source in enumerate(run.spec.data.sources):
        if not (base / source.path).exists():
            yield f"spec.data.sources[{i}].path: there is no file or folder {base / source.path}"
    haystack = run.spec.evaluation.probes.niah.haystack.path
    if haystack is not None and not (base / haystack).exists():
        field = "spec.evaluation.probes.niah.haystack.path"
        yield f"{field}: there is no file or folder {base / haystack}"


def _model_faults(folder: Path) -> Iterator[str]:
    field = "spec.model.source"
    wanted = "give the folder of a Hugging Face model (config.json, safetensors, tokenizer)"
    if not folder.is_dir():
        yield f"{field}: there is no folder {folder}: {wanted}"
    elif not (folder / CONFIG).is_file():
        yield f"{field}: {folder} holds no {CONFIG}: {wanted}"
    elif not any(folder.glob("*.safetensors")):
        yield f"{field}: {folder} holds no *.safetensors: {wanted}"
    elif not any((folder / name).is_file() for name in TOKENIZERS):
        yield f"{field}: {folder} holds no {TOKENIZERS[0]}: {wanted}"
