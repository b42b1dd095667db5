"""All that can be known to be wrong before a process is started."""

from pathlib import Path

from lccp.api.run import LCCPRunSpec
from lccp.cost.compatibility import check
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
