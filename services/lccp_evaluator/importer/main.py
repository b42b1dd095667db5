"""`lccp-import`: copy the checkpoints of an attached run's trainer, as the environment says.

It takes the trainer's place in the run: it writes a heartbeat, obeys `control/<attempt>.json`, and
writes `end.json`. Its caller reads its exit code (lccp.api.exits).
"""

import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lccp.api.causes import cause_of, exit_code_of
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation
from lccp.api.objects.training import End
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.source import SourceSpec
from lccp.contract.errors import InvalidInput, sentence_of
from lccp.inputs.bucket import bucket_store
from lccp.logs import configure_from
from lccp.probes.probe import Contexts
from lccp.signals import SignalEvent
from lccp.store import objects
from lccp.store.assignment import attempt_spec, unknown_fields
from lccp.store.keys import RunKeys, writer_name
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp.yaml_files import document
from lccp_evaluator.failure import record, tell
from lccp_evaluator.importer.copies import Copies
from lccp_evaluator.importer.loop import LISTING_SECONDS, POLL_SECONDS, Importer
from lccp_evaluator.importer.pulse import Pulse, Task
from lccp_evaluator.series.bucket import InBucket, Mirror
from lccp_evaluator.series.checkpoints import Completion
from lccp_evaluator.series.conversion import Conversion
from lccp_evaluator.series.formats import Foreign, Format, HuggingFace
from lccp_evaluator.series.tokens import TokenCounts, index_of
from lccp_evaluator.series.watch import Watch

logger = logging.getLogger("lccp_evaluator.importer")

LINES_LOGGED = 200


def main() -> None:
    """Entry point."""
    ended = SignalEvent()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    sys.exit(run(os.environ, ended))


def run(environ: Mapping[str, str], ended: SignalEvent) -> ExitCode:
    """Import until the end, or until `ended` is set; never raises."""
    try:
        configure_from(environ)
        invocation = Invocation.from_environ(environ)
        configure_from(environ, run=invocation.run, attempt=invocation.attempt)
        store = open_store(invocation.store, Path(invocation.base_directory))
        writer = writer_name(invocation.attempt, invocation.pod_uid)
    except InvalidInput as error:
        tell(error, str(error))
        return exit_code_of(cause_of(error))
    keys = RunKeys(invocation.namespace, invocation.name)
    try:
        end = _imported(invocation, store, keys, writer, ended)
        objects.write(store, keys.end(writer), end)
    except Exception as error:
        end = End(result=cause_of(error), message=sentence_of(error), at=datetime.now(UTC))
        tell(error, end.message)
        record(store, keys.end(writer), end, "end")
    return exit_code_of(end.result)


def _imported(
    invocation: Invocation, store: Store, keys: RunKeys, writer: str, ended: SignalEvent
) -> End:
    spec = attempt_spec(store, keys, invocation.attempt)
    source = _source(spec)
    contexts = Contexts(
        source.context_length, spec.model.target_context_length, spec.model.target_context_length
    )
    is_theirs = source.convert is None and source.bucket is None
    copied = _keep if is_theirs else shutil.rmtree
    unknown = unknown_fields(store, keys, invocation.attempt)
    task = Task(store, keys, invocation.attempt, writer, source.until_tokens, unknown)
    pulse = Pulse(task, ended)
    copies = Copies(store, keys, writer, contexts, copied, pulse.tick)
    with tempfile.TemporaryDirectory(prefix="lccp-") as scratch:
        watch = watch_of(source, invocation, Path(scratch), copies, pulse.tick)
        poll_seconds = POLL_SECONDS if source.bucket is None else LISTING_SECONDS
        return Importer(task, watch, copies, pulse, ended, poll_seconds).run()


def _keep(path: Path) -> None:
    """Do not delete it: it is the trainer's."""


def watch_of(
    source: SourceSpec,
    invocation: Invocation,
    scratch: Path,
    copies: Copies,
    tick: Callable[[], None],
) -> Watch:
    """The watch of the folder or bucket of `source`; `scratch` is for conversions and fetches.

    `tick` is called every second while a checkpoint is converted or fetched.

    Raises InvalidInput if the conversion's command is invalid, or the bucket can't be reached as
    the run's store is.
    """
    format: Format = HuggingFace()
    if source.convert is not None:
        cache, where = scratch / "converted", "spec.source.convert"
        told = partial(Conversion, tick=tick, where=where, kept=_logged)
        format = Foreign(told(source.convert, cache))
    folder = Path(invocation.base_directory) / source.path
    if source.bucket is not None:
        store = bucket_store(source.bucket.url, invocation.store, "spec.source.path")
        mirror = Mirror(store, scratch / "bucket", source.tokens.index, tick)
        folder, format = mirror.listed, InBucket(mirror, format)
    asked = source.complete.quiet_seconds
    return Watch(
        folder,
        copies,
        partial(_counts, source, folder),
        Completion(source.complete.marker, asked or Completion.quiet_seconds, asked is None),
        format=format,
    )


def _logged(file: Path) -> str:
    """Copy the end of a conversion's output to this process's log, which outlives the file."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_LOGGED:]:
        logger.error("%s: %s", file.stem, line)
    return "its output is in the importer's log"


def _counts(source: SourceSpec, folder: Path) -> TokenCounts:
    """The current sources of token counts: an index grows. Raises InvalidInput."""
    asked = source.tokens
    if asked.index is None:
        return TokenCounts(per_step=asked.tokens_per_step)
    index = document(folder / asked.index)
    return TokenCounts(index=index_of(index, f"{source.path}/{asked.index}"), index_alone=True)


def _source(spec: LCCPRunSpec) -> SourceSpec:
    if spec.source is None:
        raise InvalidInput("spec.source: is not set: only an attached run has an importer")
    return spec.source
