from pathlib import Path

import a_run
import pytest
from series import NIAH_PPL, NIAH_SCORE, QUORUM, a_series, with_changes
from tiny_reports import POLICY, REGULAR

from lccp.analysis.trajectory import Trajectory
from lccp.analysis.verdict import judge_trajectory
from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.api.objects.verdict import Forecast, VerdictState
from lccp.report.judged import policy_of, verdict_of
from lccp.report.load import RunData
from lccp.report.summary import (
    Summary,
    ceiling_against_signal,
    forecast_sentence,
    verdict_sentence,
)
from lccp.store.file import FileStore

pytestmark = pytest.mark.slow

LLAMA = b"""{"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2,
"num_hidden_layers": 1, "intermediate_size": 16, "vocab_size": 32, "tie_word_embeddings": true}"""
LLAMA_PARAMETERS = 32 * 8 + 4 * 8 * 8 + 3 * 8 * 16 + 3 * 8


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path)
    a_run.put(store, a_run.finished())
    return store


def summary(store: FileStore) -> Summary:
    data = RunData.from_store(store, a_run.KEYS)
    return Summary.of(data, verdict_of(data))


def test_what_the_stop_saved_is_the_rest_of_the_budget(store: FileStore) -> None:
    saved = summary(store).saved
    assert saved is not None
    assert saved.tokens == a_run.BUDGET_TOKENS - a_run.CHECKPOINTS[-1]
    assert saved.share == pytest.approx(0.5625)
    assert saved.flops == 0


def test_saved_flops_come_from_the_checkpoints_own_configuration(store: FileStore) -> None:
    tokens, files = a_run.CHECKPOINTS[-1], {"config.json": FileRecord(size=1, sha256="0" * 64)}
    manifest = Manifest(
        kind="Checkpoint",
        tokens=tokens,
        step=350,
        writer=a_run.WRITER,
        files=files,
        source_context_length=256,
        target_context_length=512,
    )
    store.put(a_run.KEYS.checkpoint_manifest(tokens), manifest.to_json())
    store.put(f"{a_run.KEYS.checkpoint(tokens, a_run.WRITER)}config.json", LLAMA)
    saved = summary(store).saved
    assert saved is not None
    assert saved.flops == 6 * LLAMA_PARAMETERS * saved.tokens


def test_without_a_stop_nothing_was_saved(store: FileStore) -> None:
    store.put(a_run.KEYS.journal, a_run.journal(stopped=False).to_json())
    assert summary(store).saved is None


def test_changes_run_from_the_first_checkpoint_to_the_newest(store: FileStore) -> None:
    found = summary(store)
    first, newest = a_run.report(0), a_run.report(a_run.CHECKPOINTS[-1])
    (change,) = [change for change in found.changes if change.signal.name == "niah_ppl"]
    ends = [report.signal("niah_ppl") for report in (first, newest)]
    assert [change.first, change.last] == pytest.approx([end.value for end in ends if end])
    assert [change.signal.name for change in found.changes] == [
        "niah_ppl",
        "niah_score",
        "retrieval_heads",
    ]


def test_each_state_has_its_sentence() -> None:
    verdict = a_run.verdict()
    sentences = {
        verdict_sentence(verdict.model_copy(update={"state": state})) for state in VerdictState
    }
    assert len(sentences) == len(VerdictState)
    assert "Saturated since 1.43 M tokens: 410 K more tokens gain less than 3 % of NIAH-PPL." in (
        sentences
    )


@pytest.mark.parametrize("state", ["Improving", "DeceptivelySaturated"])
def test_that_training_still_pays_is_left_to_the_advice(state: str) -> None:
    found = a_run.verdict().model_copy(update={"state": VerdictState(state)})
    assert "pays" not in verdict_sentence(found)


def test_the_least_gain_is_that_of_the_leading_signal() -> None:
    found = a_run.verdict_with_own_min_gain(0.05)
    said = verdict_sentence(found.model_copy(update={"state": VerdictState.SATURATED}))
    assert said.endswith("gain less than 5 % of NIAH-PPL.")


def test_a_saturation_by_quorum_names_the_signal_that_is_saturated() -> None:
    policy = with_changes(POLICY, signals=(NIAH_PPL, NIAH_SCORE), quorum=1)
    said = verdict_sentence(judge_trajectory(QUORUM, policy))
    assert said.startswith("Saturated since ")
    assert said.endswith("400 more tokens gain less than 0.02 of NIAH score.")


def test_several_that_still_improve_are_all_named() -> None:
    rising = 0.1 * REGULAR / 400
    series = {name: a_series(REGULAR, rising, name) for name in (NIAH_PPL, NIAH_SCORE)}
    policy = with_changes(POLICY, signals=(NIAH_PPL, NIAH_SCORE), ceilings=())
    said = verdict_sentence(judge_trajectory(Trajectory(series), policy))
    assert said.endswith("NIAH-PPL and NIAH score still improve.")


def test_the_score_is_held_against_the_perplexity() -> None:
    verdict = a_run.verdict()
    assert "reached 0.99 at 512 K tokens; from there NIAH-PPL fell by another 2.1 %" in (
        ceiling_against_signal(verdict)
    )
    young = a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:3]))
    assert ceiling_against_signal(young).startswith("The NIAH score is 0.92")
    assert ceiling_against_signal(a_run.verdict(())) == ""


def test_a_forecast_is_said_with_its_interval() -> None:
    forecast = Forecast(tokens=2_100_000, lower=1_800_000, upper=2_500_000, budget="Sufficient")
    assert forecast_sentence(forecast) == (
        "By the log law, training pays until about 2.1 M tokens (1.8 M to 2.5 M); "
        "the budget is sufficient."
    )
    endless = forecast.model_copy(update={"upper": None, "budget": "Unknown"})
    assert "2.1 M tokens (1.8 M or more)." in forecast_sentence(endless)
    assert forecast_sentence(Forecast(budget="Sufficient")) == forecast_sentence(None) == ""


def test_the_policy_of_a_run_is_the_one_it_was_judged_by(store: FileStore) -> None:
    assert policy_of(RunData.from_store(store, a_run.KEYS)) == a_run.policy()


def test_a_run_without_a_verdict_is_judged(store: FileStore) -> None:
    store.delete(a_run.KEYS.verdict)
    data = RunData.from_store(store, a_run.KEYS)
    assert data.verdict is None
    assert verdict_of(data).checkpoints[-1].values == a_run.verdict().checkpoints[-1].values
