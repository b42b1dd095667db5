"""All that can be known to be wrong before a process is started."""

from pathlib import Path

from lccp.api.objects.run import RunIdentity
from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.errors import Incompatible
from lccp.cost.compatibility import check
from lccp.store.keys import RunKeys
from lccp.store.objects import read_or_none
from lccp.store.open import probe
from lccp.store.port import Store
from lccp_trainer.data.documents import check_documents
from lccp_trainer.model.source import check_source, read_config


def check_spec(spec: LCCPRunSpec, base: Path) -> None:
    """Raise InvalidInput, with the field's path, unless the run can be trained.

    Args:
        base: folder that relative paths start from.
    """
    directory = base / spec.model.source
    check_source(spec.model, directory)
    check(spec, read_config(directory))
    for number, source in enumerate(spec.data.sources):
        if spec.data.share(source) > 0:
            check_documents(source, base / source.path, f"data.sources[{number}]")


def check_store(store: Store, run: LCCPRun) -> None:
    """Raise unless the store does what is needed of it, and holds this run and no other.

    Raises:
        InvalidInput: it refuses, or what it holds does not fit.
        StoreUnavailable: it does not answer.
    """
    keys = RunKeys(run.metadata.namespace, run.metadata.name)
    probe(store, keys.prefix)
    identity = read_or_none(store, keys.identity, RunIdentity)
    if identity is not None and identity.digest != run.identity_digest:
        raise Incompatible(
            f"metadata.name: {store.url} holds another run of the name "
            f"{keys.namespace}/{keys.name}: take another name, or go back to that run's spec"
        )
