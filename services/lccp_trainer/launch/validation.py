"""All errors that can be found before a process is started."""

from pathlib import Path

from lccp.api.objects.manifest import Manifest
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.sft import SFTSpec
from lccp.contract.errors import InvalidInput, NotFound
from lccp.cost.compatibility import check
from lccp.cost.fine_tuning import fine_tuning_run
from lccp.model_config import CONFIG, parsed_model_config
from lccp.store.keys import FineTuningKeys
from lccp.store.objects import read
from lccp.store.port import Store
from lccp.tokenizer import tokenizer_digest
from lccp_trainer.data import sources
from lccp_trainer.data.documents import files_of
from lccp_trainer.data.records.reading import Unusable, read_records
from lccp_trainer.model.source import check_source, read_config


def check_spec(spec: LCCPRunSpec, base: Path) -> None:
    """Raise InvalidInput, with the field's path, unless the run can be trained.

    Args:
        base: folder that relative paths start from.
    """
    directory = base / spec.model.source
    check_source(spec.model, directory)
    check(spec, read_config(directory))
    digest = tokenizer_digest(directory)
    for number, source in enumerate(spec.mixture.sources):
        if spec.mixture.share(source) > 0:
            sources.check_source(source, base / source.path, f"data.sources[{number}]", digest)


def check_fine_tuning(
    store: Store, keys: FineTuningKeys, spec: LCCPRunSpec, sft: SFTSpec, base: Path
) -> None:
    """Raise InvalidInput, with the field's path, unless the checkpoint can be fine-tuned.

    Args:
        spec: of the run.
        base: folder that relative paths start from.
    """
    key = keys.run.checkpoint_manifest(keys.checkpoint_tokens)
    try:
        checkpoint = read(store, key, Manifest)
        prefix = keys.run.checkpoint(checkpoint.tokens, checkpoint.writer)
        config = parsed_model_config(store.get(f"{prefix}{CONFIG}"), f"{prefix}{CONFIG}")
    except NotFound:
        raise InvalidInput(
            f"environment: LCCP_TOKENS: {store.url}: there is no complete checkpoint of "
            f"{keys.checkpoint_tokens} tokens ({key}): name an existing one"
        ) from None
    check(fine_tuning_run(spec, sft), config)
    for file in files_of(base / sft.path, "sft"):
        place, first = next(read_records(file, "sft.path"), (str(file), Unusable("is empty")))
        if isinstance(first, Unusable) and not sft.bad_records_max:
            raise InvalidInput(f"sft.path: {place}: {first.reason}: correct it, or remove it")
