"""Reading an LCCPRun from a manifest, and checking that the files it names exist."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lccp.api.labels import KIND
from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.errors import InvalidInput
from lccp.contract.location import MALFORMED, remote_location
from lccp.foreign_formats import lacks
from lccp.model_config import CONFIG, read_model_config
from lccp.probes.registry import PROBES
from lccp.yaml_files import documents

if TYPE_CHECKING:
    from lccp.api.invocation import StoreConfig

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")
MODEL = "give the folder of a Hugging Face model (config.json, safetensors, tokenizer)"


def load_manifest(path: Path) -> LCCPRun:
    """The one LCCPRun among the YAML documents in `path`.

    Raises InvalidInput, with one sentence that names the file and the field, if it is missing or
    invalid.
    """
    runs = [d for d in documents(path) if isinstance(d, dict) and d.get("kind") == KIND]
    if len(runs) != 1:
        found = f"{len(runs)} documents" if runs else "no document"
        raise InvalidInput(f"{path}: contains {found} of kind {KIND}; it must contain one")
    return LCCPRun.parse(runs[0], str(path))


def check_files(run: LCCPRun, manifest: Path) -> None:
    """Raise InvalidInput, naming file and field, for the first path in `run` that is missing.

    Documents must be readable too, as far as the trainer's check reads them. Files in buckets and
    hubs are checked when they are fetched; an attached run's checkpoints and their folder may
    appear later.
    """
    source = run.spec.model.source
    if remote_location(source) is None and run.spec.source is None:
        check_model(manifest.parent / source, f"{manifest}: spec.model.source")
    for fault in _missing(run, manifest.parent):
        raise InvalidInput(f"{manifest}: {fault}")
    _check_documents(run, manifest)


def check_model(folder: Path, where: str, *, with_tokenizer: bool = True) -> None:
    """Raise InvalidInput, naming `where`, unless `folder` looks like a Hugging Face model."""
    fault = _model_fault(folder)
    if fault is None and with_tokenizer and (lacking := _tokenizer_fault(folder)):
        fault = f"{lacking}: {MODEL}"
    if fault:
        raise InvalidInput(f"{where}: {fault}")


def check_tokenizer(folder: Path, where: str) -> None:
    """Raise InvalidInput, naming `where`, unless `folder` looks like that of a tokenizer."""
    fault = _tokenizer_fault(folder)
    if fault:
        raise InvalidInput(f"{where}: {fault}: give the folder of a Hugging Face tokenizer")


def _check_documents(run: LCCPRun, manifest: Path) -> None:
    from lccp_trainer.data.sources import check_documents

    data = run.spec.data
    for i, source in enumerate(data.sources if data else ()):
        here = remote_location(source.path) is None
        if data and here and source.format != "Tokens" and data.share(source):
            where = f"{manifest}: spec.data.sources[{i}]"
            check_documents(source, manifest.parent / source.path, where)


def _missing(run: LCCPRun, base: Path) -> Iterator[str]:
    for i, source in enumerate(run.spec.data.sources if run.spec.data else ()):
        if remote_location(source.path) is None and not (base / source.path).exists():
            yield f"spec.data.sources[{i}].path: there is no file or folder {base / source.path}"
    for name, settings in run.spec.evaluation.probes.asked().items():
        for field, texts in PROBES[name].documents(settings).items():
            path = base / str(texts.path)
            if not path.exists():
                yield f"spec.{field}: there is no file or folder {path}"


def _model_fault(folder: Path) -> str | None:
    if not folder.is_dir():
        return f"there is no folder {folder}: {MODEL}"
    for name in (CONFIG, "*.safetensors"):
        if not any(path.is_file() for path in folder.glob(name)):
            return f"{folder} {lacks(folder, name, MODEL)}"
    return None


def _tokenizer_fault(folder: Path) -> str | None:
    if not any((folder / name).is_file() for name in TOKENIZERS):
        return f"{folder} contains no {TOKENIZERS[0]}"
    return None


def fetched(spec: LCCPRunSpec, endpoint: str | None) -> LCCPRunSpec:
    """`spec` with local folders instead of locations in buckets and on hubs.

    Args:
        endpoint: of the buckets; None: the provider's own.
    """
    from lccp.inputs.cache import cache_directory
    from lccp.inputs.fetch import fetched as copied
    from lccp.inputs.fetch import found, remotes

    given = remotes(spec, _anywhere(endpoint), os.environ.get("HF_ENDPOINT"))
    with _fetching() as progress:
        return copied(spec, given, found(given), cache_directory(os.environ), progress)


def fetched_model(text: str, where: str, endpoint: str | None) -> Path:
    """The folder of the model that `text` names, fetched if it is in a bucket or on a hub.

    Raises InvalidInput, naming `where`, if there is none, and StoreUnavailable.
    """
    from lccp.inputs.remote import of_a_model

    if remote_location(text) is None:
        if "://" in text:
            raise InvalidInput(f"{where}: {text} {MALFORMED}")
        return Path(text)
    with _fetching() as progress:
        return _fetched(text, where, endpoint, of_a_model, progress)


def fetched_config(source: str, where: str, endpoint: str | None) -> Path:
    """A local folder with only the config.json of the model at `source`.

    Raises InvalidInput, naming `where`, if there is none, and StoreUnavailable.
    """
    return _fetched(source, where, endpoint, lambda path: path == CONFIG, lambda here, total: None)


def _fetched(
    source: str,
    where: str,
    endpoint: str | None,
    wanted: Callable[[str], bool],
    progress: Callable[[int, int], None],
) -> Path:
    from lccp.inputs.cache import cache_directory, cached
    from lccp.inputs.fetch import remote_of

    remote = remote_of(source, _anywhere(endpoint), os.environ.get("HF_ENDPOINT"), where)
    found, folder = remote.find(wanted), cache_directory(os.environ)
    return cached(found, remote, folder, where, lambda here: progress(here, found.size))


@contextmanager
def _fetching() -> Iterator[Callable[[int, int], None]]:
    """Yield a callback for the bytes fetched and the bytes in total."""
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda here, total: status.update(f"fetched {here / 1e9:.2f} of {total / 1e9:.2f} GB")


def _anywhere(endpoint: str | None) -> "StoreConfig":
    """How to reach buckets when no run's store says so."""
    from lccp.api.invocation import StoreConfig

    return StoreConfig(url="s3://", endpoint=endpoint)


def model_config(
    run: LCCPRun, manifest: Path, model: Path | None, endpoint: str | None
) -> dict[str, Any]:
    """config.json of the run's model: from the folder `model`, beside the manifest, or fetched.

    Raises:
        InvalidInput: it is missing, or not a JSON object.
        StoreUnavailable: the bucket or the hub does not respond.
    """
    if model is not None:
        return read_model_config(model, "--model")
    source, field = run.spec.model.source, f"{manifest}: spec.model.source"
    if remote_location(source) is not None:
        return read_model_config(fetched_config(source, field, endpoint), field)
    folder = manifest.parent / source
    if not folder.is_dir():
        raise InvalidInput(f"{field}: there is no folder {folder}: give one with --model")
    return read_model_config(folder, field)
