"""`lccp-evaluate`: evaluate one checkpoint of a run, as the environment says.

With `fetch` or `report` it does only the part before or after the program of an external suite.

Its caller reads its exit code (lccp.api.exits) and, in the store, its report or failure. A
checkpoint that has a report is skipped.
"""

import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from lccp.api.causes import cause_of, exit_code_of
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation
from lccp.api.labels import ANNEAL, INTRINSIC, signal_of_suite
from lccp.api.objects.report import EvaluationReport, ProbeReport, SignalValue
from lccp.contract.errors import Conflict, InvalidInput
from lccp.contract.signals import Role
from lccp.logs import configure_from
from lccp.store import objects
from lccp.store.assignment import identity_spec, unknown_probe_fields
from lccp.store.keys import RunKeys
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_evaluator.checkpoint import checkpoint_directory, read_manifest
from lccp_evaluator.external.steps import ALL, ExternalEvaluation
from lccp_evaluator.failure import failure_of, record, tell
from lccp_evaluator.progress import ProgressFile

TITLE_LENGTH_MAX = 63
"""Longest title of a signal, in characters."""


def main() -> None:
    """Entry point."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
    sys.exit(run(os.environ, *sys.argv[1:]))


def run(environ: Mapping[str, str], *steps: str) -> ExitCode:
    """Evaluate the checkpoint that `environ` names; never raises.

    Args:
        steps: of an external suite, `fetch` or `report`; without any, the whole evaluation.
    """
    try:
        configure_from(environ)
        invocation = Invocation.from_environ(environ)
        if invocation.tokens is None:
            raise InvalidInput("environment: LCCP_TOKENS is not set: it names the checkpoint")
        about = {"run": invocation.run, "suite": invocation.suite}
        configure_from(environ, attempt=invocation.attempt, tokens=invocation.tokens, **about)
        store = open_store(invocation.store, Path(invocation.base_directory))
    except InvalidInput as error:
        tell(error, str(error))
        return exit_code_of(cause_of(error))
    keys = RunKeys(invocation.namespace, invocation.name)
    try:
        if invocation.external is None:
            _evaluate(invocation, store, keys, invocation.tokens, invocation.suite)
        else:
            evaluation = ExternalEvaluation.of(invocation, invocation.external, store)
            evaluation.do(steps or ALL, environ)
        return ExitCode.OK
    except Exception as error:
        failure = failure_of(error)
        tell(error, failure.message)
        key = keys.evaluation_failure(invocation.tokens, invocation.suite)
        record(store, key, failure, "failure")
        return ExitCode(failure.exit_code)


def _evaluate(invocation: Invocation, store: Store, keys: RunKeys, tokens: int, suite: str) -> None:
    if store.stat(keys.report(tokens, suite)):
        _clear_unfinished(store, keys, tokens, suite)
        return
    trained = keys.branch(tokens) if suite == ANNEAL else keys
    manifest = read_manifest(store, trained, tokens)
    with checkpoint_directory(store, trained, manifest) as directory:
        with no_garbage_collection():
            from lccp.probes.probe import Contexts
            from lccp_evaluator.evaluation import evaluate
            from lccp_evaluator.model.execution import Execution, first_plan
            from lccp_evaluator.model.loading import context_length
            from lccp_evaluator.place import Place
            from lccp_evaluator.preparation import Subject
        spec = identity_spec(store, keys)
        trusted = spec.model.trust_remote_code
        contexts = Contexts(
            manifest.source_context_length,
            manifest.target_context_length,
            context_length(directory, trusted),
        )
        subject = Subject(
            directory=directory,
            checkpoint_digest=manifest.digest,
            probes=spec.evaluation.probes,
            contexts=contexts,
            tokens=tokens,
            step=manifest.step,
            base=Path(invocation.base_directory),
            trust_remote_code=trusted,
            plan=first_plan(objects.reports(store, keys)),
            execution=Execution(
                processes=invocation.processes,
                shards=spec.evaluation.shards if spec.evaluation.shards > 1 else None,
            ),
        )
        place = Place.of(store, keys, tokens, suite)
        with ProgressFile(store, keys.evaluation_progress(tokens, suite)) as progress:
            evaluation = evaluate(subject, place, progress)
            place.put(evaluation.files)
            unknown = {"unknown_fields": unknown_probe_fields(store, keys)}
            report = of_suite(evaluation.report, suite).model_copy(update=unknown)
            with suppress(Conflict):  # another evaluator was first
                objects.write_if_absent(store, place.report, report)
            evaluation.unfinished.clear()


def _clear_unfinished(store: Store, keys: RunKeys, tokens: int, suite: str) -> None:
    """Delete the leftovers of an evaluator that was killed after writing its report."""
    from lccp_evaluator.place import Place
    from lccp_evaluator.unfinished import clear

    clear(store, Place.of(store, keys, tokens, suite).unfinished)


def of_suite(report: EvaluationReport, suite: str) -> EvaluationReport:
    """The report as one of `suite`: unless it is the probes' suite, signals carry its name.

    They are shown, but no verdict rests on them. A name has one slash: its own become dots.
    """
    if suite == INTRINSIC:
        return report
    probes = {name: _probe(probe, suite) for name, probe in report.probes.items()}
    return report.model_copy(update={"suite": suite, "probes": probes})


def _probe(probe: ProbeReport, suite: str) -> ProbeReport:
    signals = tuple(_signal(signal, suite) for signal in probe.signals)
    return probe.model_copy(update={"signals": signals})


def _signal(signal: SignalValue, suite: str) -> SignalValue:
    own = {
        "name": signal_of_suite(suite, signal.name),
        "title": f"{suite}: {signal.title}"[:TITLE_LENGTH_MAX],
        "role": Role.SHOWN,
    }
    return SignalValue.model_validate(signal.model_dump() | own)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """For imports: the million objects that they create stay anyway."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
