"""The evaluator's process, on a real checkpoint in a real `file://` store."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from a_run import assign, report
from tiny_checkpoints import a_checkpoint
from tiny_models import a_model

from lccp import logs
from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress, EvaluationReport
from lccp.api.run import LCCPRun
from lccp.contract.errors import StoreRefused
from lccp.contract.signals import Role
from lccp.store import objects
from lccp.store.directory import upload_directory
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_evaluator import main
from lccp_evaluator.main import of_suite

pytestmark = pytest.mark.slow

KEYS = RunKeys("default", "tiny")
WRITER = "a1-0123abcd"
REPORT = report(8_192)
NIAH = {"lengths": [256, 384], "depthsPercent": [0, 100], "haystacks": 3, "needlesPerHaystack": 2}
WITHOUT_BIO = {"bio": {"enabled": False}, "retrievalHeads": {"source": "Niah"}}


def a_run(niah, **evaluation):
    return LCCPRun.parse(
        {
            "apiVersion": "lccp.io/v1alpha1",
            "kind": "LCCPRun",
            "metadata": {"name": "tiny", "namespace": "default"},
            "spec": {
                "model": {"source": "model", "targetContextLength": 512},
                "data": {"sources": [{"name": "long", "kind": "Long", "path": "long.jsonl"}]}
                | {"shortFraction": "0"},
                "training": {
                    "tokens": 100_000,
                    "globalBatchTokens": 4_096,
                    "learningRate": "1e-4",
                },
                "checkpoints": {"storeName": "runs", "everyTokens": 10_000},
                "evaluation": {"probes": {"niah": niah} | WITHOUT_BIO} | evaluation,
            },
        },
        "run",
    )


class World:
    """A store, and what is needed to evaluate a checkpoint in it."""

    def __init__(self, folder):
        self.folder = folder
        self.store = FileStore(folder / "runs")

    def checkpoint(self, tokens, kind="byte pairs", seed=0):
        directory = a_checkpoint(self.folder / f"model-{tokens}", kind, seed)
        prefix = KEYS.checkpoint(tokens, WRITER)
        manifest = Manifest(
            kind="Checkpoint",
            tokens=tokens,
            step=tokens // 4_096,
            writer=WRITER,
            files=upload_directory(self.store, directory, prefix),
            source_context_length=256,
            target_context_length=512,
        )
        objects.write(self.store, KEYS.checkpoint_manifest(tokens), manifest)
        return self.folder / "runs" / prefix

    def branch(self, tokens):
        """A checkpoint with other weights, at the end of a branch from `tokens`."""
        keys = KEYS.branch(tokens)
        directory = a_checkpoint(self.folder / "annealed", "byte pairs", 7)
        files = upload_directory(self.store, directory, keys.checkpoint(2 * tokens, "a2-0123abcd"))
        made = objects.read(self.store, KEYS.checkpoint_manifest(tokens), Manifest)
        own = {"tokens": 2 * tokens, "writer": "a2-0123abcd", "files": files}
        manifest = made.model_copy(update=own)
        objects.write(self.store, keys.checkpoint_manifest(2 * tokens), manifest)
        return manifest

    def environ(self, tokens, niah=NIAH, **evaluation):
        assign(self.store, a_run(niah, **evaluation))
        return Invocation(
            namespace="default",
            name="tiny",
            store=StoreConfig(url=self.store.url),
            tokens=tokens,
            processes=evaluation.get("processes", 1),
            base_directory=str(self.folder),
        ).to_environ()

    def evaluate(self, tokens, **more):
        return main.run(self.environ(tokens, **more))

    def report(self, tokens):
        return objects.read(self.store, KEYS.report(tokens), EvaluationReport)

    def failure(self, tokens):
        return objects.read(self.store, KEYS.evaluation_failure(tokens), EvaluationFailure)

    def samples(self):
        return [info.key for info in self.store.list(f"{KEYS.all_samples}niah/")]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """The folder of a world whose checkpoint at 10,000 tokens is evaluated."""
    world = World(tmp_path_factory.mktemp("evaluated"))
    world.checkpoint(10_000)
    assert world.evaluate(10_000) == ExitCode.OK
    return world.folder


@pytest.fixture
def later(evaluated, tmp_path):
    """A copy of that world."""
    shutil.copytree(evaluated, tmp_path, dirs_exist_ok=True)
    return World(tmp_path)


@pytest.mark.long
def test_a_run_whose_model_lies_in_shards_is_evaluated_so(world):
    world.checkpoint(10_000)

    assert world.evaluate(10_000, processes=2, shards=2) == ExitCode.OK

    assert world.report(10_000).execution_plan["shards"] == 2


def test_a_checkpoint_gets_a_report_arrays_and_frozen_samples(later):
    report = later.report(10_000)
    assert report.tokens == 10_000
    assert report.step == 2
    assert f"niah/{report.probes['niah'].samples_digest}" in later.samples()[0]
    ppl, guard = report.signal("niah_ppl"), report.signal("niah_ppl_guard")
    assert (ppl.n, guard.n) == (12, 12)
    assert report.execution_plan["stepTokens"] == 1_024
    assert report.execution_plan["way"] == "Forked"
    assert {"torch", "transformers", "lccp"} <= set(report.versions)
    progress = objects.read(later.store, KEYS.evaluation_progress(10_000), EvaluationProgress)
    assert (progress.done, progress.total) == (28, 28)
    folder = later.folder / "runs" / KEYS.evaluation(10_000)
    with np.load(folder / "niah.samples.npz", allow_pickle=False) as arrays:
        extension = arrays["nll"][arrays["length"] > 256]
        assert extension.mean() == pytest.approx(np.log(ppl.value))
    with np.load(folder / "retrieval_heads.samples.npz", allow_pickle=False) as arrays:
        mean = arrays["scores"].mean(axis=0)
    with np.load(folder / "retrieval_heads.npz", allow_pickle=False) as arrays:
        np.testing.assert_allclose(mean, arrays["scores"], atol=1e-6)
    reference = report.probes["retrieval_heads"].details
    digest = hashlib.sha256((folder / reference.name).read_bytes()).hexdigest()
    assert digest == reference.sha256


def test_fields_of_probes_that_it_does_not_know_are_told_in_the_report(world):
    world.checkpoint(10_000)
    environ = world.environ(10_000)
    document = json.loads(world.store.get(KEYS.identity))
    document["identity"]["evaluation"]["probes"]["niah"]["ofTomorrow"] = 1
    document["identity"]["model"]["ofTomorrow"] = 1
    world.store.put(KEYS.identity, json.dumps(document).encode())

    assert main.run(environ) == ExitCode.OK

    assert world.report(10_000).unknown_fields == ("evaluation.probes.niah.ofTomorrow",)


def test_the_end_of_a_branch_answers_the_runs_samples_under_names_of_its_own(later):
    made, samples, own = later.branch(10_000), later.samples(), later.report(10_000)

    assert main.run(later.environ(10_000) | {"LCCP_SUITE": "anneal"}) == ExitCode.OK

    report = objects.read(later.store, KEYS.report(10_000, "anneal"), EvaluationReport)
    assert (report.suite, report.tokens) == ("anneal", 10_000)
    assert report.checkpoint_digest == made.digest
    assert {one.name for one in report.signals()} >= {
        "anneal/niah_ppl",
        "anneal/niah_score",
    }
    assert all(one.name.startswith("anneal/") for one in report.signals())
    assert {one.role for one in report.signals()} == {Role.SHOWN}
    assert report.signal("anneal/niah_ppl").value != own.signal("niah_ppl").value
    assert later.samples() == samples
    assert later.report(10_000) == own


def test_evaluated_again_a_checkpoint_gives_the_same_bytes_but_for_timings(later):
    first = json.loads(later.store.get(KEYS.report(10_000)))
    heads = f"{KEYS.evaluation(10_000)}retrieval_heads.npz"
    arrays = later.store.get(heads)
    later.store.delete(KEYS.report(10_000))

    later.evaluate(10_000)

    second = json.loads(later.store.get(KEYS.report(10_000)))
    assert first.pop("timings").keys() == second.pop("timings").keys()
    assert first == second
    assert later.store.get(heads) == arrays


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks evaluators")
def test_a_forked_evaluator_gives_the_same_bytes_but_for_timings(world):
    world.checkpoint(10_000)
    environ = os.environ | world.environ(10_000) | {"OMP_NUM_THREADS": "1"}
    ordinary = [sys.executable, "-m", "lccp_evaluator"]
    subprocess.run(ordinary, env=environ, check=True, timeout=120)
    first = json.loads(world.store.get(KEYS.report(10_000)))
    world.store.delete(KEYS.report(10_000))

    assert forked(environ) == b"+0"

    second = json.loads(world.store.get(KEYS.report(10_000)))
    assert first.pop("timings").keys() == second.pop("timings").keys()
    assert first == second


def forked(environ):
    """What is answered about an evaluator that a warm process forks."""
    control, its = socket.socketpair()
    client, asked = socket.socketpair()
    command = [sys.executable, "-m", "lccp_evaluator.starting.warm", str(its.fileno())]
    with its, subprocess.Popen(command, env=environ, pass_fds=[its.fileno()]), control, client:
        socket.send_fds(control, [b"+"], [asked.fileno()])
        asked.close()
        socket.send_fds(client, [json.dumps(dict(environ)).encode() + b"\n"], [1, 2])
        return b"".join(iter(lambda: client.recv(64), b""))


def test_a_checkpoint_with_a_report_is_left_alone(later):
    before = later.store.stat(KEYS.report(10_000))
    shutil.rmtree(later.folder / "runs" / KEYS.checkpoint(10_000, WRITER))

    assert later.evaluate(10_000) == ExitCode.OK
    assert later.store.stat(KEYS.report(10_000)) == before


def test_what_was_left_beside_a_report_is_deleted(later):
    left = f"{KEYS.evaluation(10_000)}unfinished-0123-0.npz"
    later.store.put(left, b"cut off")

    assert later.evaluate(10_000) == ExitCode.OK
    assert later.store.stat(left) is None
    assert later.store.stat(KEYS.report(10_000))


def test_later_checkpoints_answer_the_same_samples_by_the_first_ones_plan(later):
    later.checkpoint(20_000, seed=1)
    first = later.report(10_000)
    plan = first.execution_plan | {"stepTokens": 100}
    objects.write(
        later.store, KEYS.report(10_000), first.model_copy(update={"execution_plan": plan})
    )

    later.evaluate(20_000)

    second = later.report(20_000)
    assert second.execution_plan == plan
    assert second.probes["niah"].samples_digest == first.probes["niah"].samples_digest
    assert len(later.samples()) == 1
    assert second.checkpoint_digest != first.checkpoint_digest
    assert second.signal("niah_ppl_guard").value != first.signal("niah_ppl_guard").value


def cut_weights(world, folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1_000])


def cut_weights_before_they_were_listed(world, folder):
    cut_weights(world, folder)
    relist(world, folder)


def other_weights(world, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    relist(world, folder)


def fewer_embeddings(world, folder):
    a_model("hunyuan_v1_moe", moe_topk=1, vocab_size=300).save_pretrained(folder)
    relist(world, folder)


def no_tokenizer(world, folder):
    (folder / "tokenizer.json").unlink()
    relist(world, folder)


def relist(world, folder):
    """Make the manifest match the folder's present contents."""
    key = KEYS.checkpoint_manifest(10_000)
    manifest = objects.read(world.store, key, Manifest)
    elsewhere = FileStore(world.folder / "elsewhere")
    files = upload_directory(elsewhere, folder, "copy/")
    objects.write(world.store, key, manifest.model_copy(update={"files": files}))


def no_manifest(world, folder):
    world.store.delete(KEYS.checkpoint_manifest(10_000))


def newer_manifest(world, folder):
    key = KEYS.checkpoint_manifest(10_000)
    document = json.loads(world.store.get(key)) | {"schemaVersion": 9}
    world.store.put(key, json.dumps(document).encode())


FAULTS = {
    "a file was cut": (
        cut_weights,
        r"model.safetensors: is damaged: it does not match its manifest",
    ),
    "weights were cut": (
        cut_weights_before_they_were_listed,
        r"cannot be loaded as a model: .*cov",
    ),
    "weights are missing": (other_weights, r"lacks \d+ of the model's weights, model.layers.3"),
    "too few embeddings": (fewer_embeddings, r"has embeddings for \d+ tokens, but its tokenizer"),
    "no tokenizer": (no_tokenizer, r"contains no tokenizer"),
    "no manifest": (no_manifest, r"there is no checkpoint at 10000 tokens"),
    "a newer manifest": (newer_manifest, r"has schema version 9, but this LCCP reads Manifest"),
}


@pytest.mark.parametrize(("fault", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_wrong_input_is_recorded_in_one_sentence_and_never_retried(world, fault, sentence):
    fault(world, world.checkpoint(10_000))

    assert world.evaluate(10_000) == ExitCode.CONFIGURATION

    failure = world.failure(10_000)
    assert failure.cause == Cause.CONFIGURATION
    assert failure.exit_code == ExitCode.CONFIGURATION
    assert "\n" not in failure.message
    assert re.search(sentence, failure.message)
    assert not world.store.stat(KEYS.report(10_000))


def test_a_run_whose_tokenizer_changes_is_refused(later):
    later.checkpoint(20_000, kind="words")

    assert later.evaluate(20_000) == ExitCode.CONFIGURATION
    assert "another tokenizer than the checkpoint's" in later.failure(20_000).message


def test_a_length_beyond_the_models_own_context_is_refused(world):
    folder = world.checkpoint(10_000)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 256}))
    relist(world, folder)

    assert world.evaluate(10_000) == ExitCode.CONFIGURATION
    assert "niah.lengths: 384 exceeds the 256 tokens" in world.failure(10_000).message


def test_a_fault_of_its_own_is_internal_and_names_itself(world, monkeypatch, capsys):
    world.checkpoint(10_000)
    monkeypatch.setattr("lccp_evaluator.evaluation.prepare", lambda *_: 1 / 0)

    assert world.evaluate(10_000) == ExitCode.INTERNAL
    failure = world.failure(10_000)
    assert (failure.cause, failure.message) == (Cause.INTERNAL, "division by zero")
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["LCCP_RUN", "LCCP_STORE", "LCCP_TOKENS"])
def test_an_incomplete_environment_is_refused(world, name, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "TERMINATION_LOG", tmp_path / "termination-log")
    logs.TERMINATION_LOG.touch()
    environ = world.environ(10_000)
    del environ[name]

    assert main.run(environ) == ExitCode.CONFIGURATION
    assert f"{name} is not set" in capsys.readouterr().err
    assert f"{name} is not set" in logs.TERMINATION_LOG.read_text()


def test_a_store_that_refuses_is_no_fault_of_the_run(world, monkeypatch):
    class Refusing(FileStore):
        def stat(self, key):
            raise StoreRefused("store s3://lccp: refuses these credentials (AccessDenied)")

    environ = world.environ(10_000)
    monkeypatch.setattr(main, "open_store", lambda *_: Refusing(world.folder / "runs"))

    assert main.run(environ) == ExitCode.STORE_REFUSED
    assert world.failure(10_000).cause is Cause.STORE_REFUSED


@pytest.mark.long
def test_the_process_ends_on_sigterm_and_leaves_nothing_half_written(world):
    world.checkpoint(10_000)
    many = NIAH | {"haystacks": 40, "depthsPercent": list(range(0, 100, 5))}
    process = subprocess.Popen(
        [sys.executable, "-m", "lccp_evaluator"],
        env=os.environ | world.environ(10_000, niah=many),
    )
    while not world.store.stat(KEYS.evaluation_progress(10_000)):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=30) == ExitCode.TERMINATED
    assert not world.store.stat(KEYS.report(10_000))


def test_the_probes_own_suite_keeps_its_names() -> None:
    assert of_suite(REPORT, INTRINSIC) is REPORT


def test_a_branchs_signals_are_named_after_their_suite_and_only_shown() -> None:
    (probe, *_) = REPORT.probes
    first = REPORT.probes[probe].signals[0].model_copy(update={"name": "niah_ppl/2"})
    changed = REPORT.probes[probe].model_copy(update={"signals": (first,)})
    found = of_suite(REPORT.model_copy(update={"probes": {probe: changed}}), ANNEAL)
    (signal,) = found.signals()
    assert (found.suite, found.tokens) == (ANNEAL, REPORT.tokens)
    assert (signal.name, signal.role) == ("anneal/niah_ppl.2", Role.SHOWN)
    assert (signal.value, signal.n) == (first.value, first.n)
