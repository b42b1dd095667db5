"""What a manifest names must be there before anything is begun on this machine."""

from collections.abc import Iterator
from pathlib import Path

from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput

CONFIG = "config.json"
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")


def check_files(run: LCCPRun, manifest: Path) -> None:
    """Raise InvalidInput, with file and field, for the first path in `run` that leads nowhere."""
    check_model(manifest.parent / run.spec.model.source, f"{manifest}: spec.model.source")
    for fault in _faults(run, manifest.parent):
        raise InvalidInput(f"{manifest}: {fault}")


def check_model(folder: Path, where: str) -> None:
    """Raise InvalidInput, naming `where`, unless `folder` looks like a Hugging Face model."""
    fault = _model_fault(folder)
    if fault:
        wanted = "give the folder of a Hugging Face model (config.json, safetensors, tokenizer)"
        raise InvalidInput(f"{where}: {fault}: {wanted}")


def _faults(run: LCCPRun, base: Path) -> Iterator[str]:
    for i, source in enumerate(run.spec.data.sources):
        if not (base / source.path).exists():
            yield f"spec.data.sources[{i}].path: there is no file or folder {base / source.path}"
    haystack = run.spec.evaluation.probes.niah.haystack.path
    if haystack is not None and not (base / haystack).exists():
        field = "spec.evaluation.probes.niah.haystack.path"
        yield f"{field}: there is no file or folder {base / haystack}"


def _model_fault(folder: Path) -> str | None:
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if not (folder / CONFIG).is_file():
        return f"{folder} holds no {CONFIG}"
    if not any(folder.glob("*.safetensors")):
        return f"{folder} holds no *.safetensors"
    if not any((folder / name).is_file() for name in TOKENIZERS):
        return f"{folder} holds no {TOKENIZERS[0]}"
    return None
