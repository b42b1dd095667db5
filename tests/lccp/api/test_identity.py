"""The identity of a run, compared by value."""

import json
from pathlib import Path
from typing import Any

import a_run
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.identity import (
    changed_settings,
    classes,
    differences,
    identity_differences,
    identity_of,
    is_given,
    joined,
    settings_of,
)
from lccp.api.objects.run import RunIdentity
from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.changes import Change
from lccp.contract.errors import InvalidInput

STORED = Path(__file__).parents[2] / "fixtures" / "stored"


def a_spec(**parts: Any) -> LCCPRunSpec:
    return a_run.run(**parts).spec


def training(**more: Any) -> dict[str, Any]:
    return {"tokens": "4M", "globalBatchTokens": 4_096, "learningRate": "1.5e-4", **more}


def test_identity_and_settings_are_the_whole_spec_and_nothing_twice() -> None:
    spec = a_spec()
    identity, settings = identity_of(spec), settings_of(spec)

    assert joined(identity, settings, "spec") == spec
    assert "microBatchSize" not in identity["training"]
    assert set(identity["training"]).isdisjoint(settings["training"])


def test_identity_alone_stands_without_the_branches_that_may_still_be_added() -> None:
    anneal = {"atTokens": ["1M", "2M"], "tokens": "1M", "finalFraction": "0.1"}
    spec = a_spec(checkpoints={"everyTokens": 100, "anneal": anneal})
    more = a_spec(
        checkpoints={"everyTokens": 100, "anneal": anneal | {"atTokens": ["1M", "2M", "3M"]}}
    )
    longer = a_spec(checkpoints={"everyTokens": 100, "anneal": anneal | {"tokens": "2M"}})
    stored = identity_of(spec)

    assert joined(stored, settings_of(spec), "spec") == spec
    assert identity_differences(stored, more) == []
    assert [d.path for d in identity_differences(stored, longer)] == ["checkpoints.anneal.tokens"]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("checkpoints.anneal.atTokens", Change.LIVE),
        ("checkpoints.anneal.tokens", Change.IDENTITY),
        ("checkpoints.anneal.finalFraction", Change.IDENTITY),
        ("model.source", Change.IDENTITY),
        ("model.ropeBase", Change.IDENTITY),
        ("data.sources", Change.IDENTITY),
        ("training.learningRate", Change.IDENTITY),
        ("training.schedule.type", Change.IDENTITY),
        ("training.globalBatchTokens", Change.IDENTITY),
        ("evaluation.probes.niah.haystacks", Change.IDENTITY),
        ("training.microBatchSize", Change.NEXT_ATTEMPT),
        ("training.activationCheckpointing", Change.NEXT_ATTEMPT),
        ("training.deepspeed.zeroStage", Change.NEXT_ATTEMPT),
        ("training.hangTimeoutSeconds", Change.NEXT_ATTEMPT),
        ("topology.nodes", Change.NEXT_ATTEMPT),
        ("topology.image", Change.NEXT_ATTEMPT),
        ("evaluation.deadlineSeconds", Change.NEXT_ATTEMPT),
        ("restartPolicy.maxRestarts", Change.NEXT_ATTEMPT),
        ("training.tokens", Change.LIVE),
        ("checkpoints.atTokens", Change.LIVE),
        ("suspend", Change.LIVE),
        ("saturation.action", Change.LIVE),
        ("evaluation.concurrency", Change.LIVE),
    ],
)
def test_the_class_of_a_field(path: str, change: Change) -> None:
    assert classes()[path] is change


def test_a_field_that_was_added_since_takes_its_default_on_both_sides() -> None:
    spec = a_spec()
    older = identity_of(spec)
    del older["training"]["precision"], older["data"]["sources"][0]["textField"]

    assert identity_differences(older, spec) == []


def test_a_field_that_was_removed_since_is_left_out() -> None:
    spec = a_spec()
    stored = identity_of(spec)
    stored["model"]["former"] = 1

    assert identity_differences(stored, spec) == []


@pytest.mark.parametrize("text", ["0.00015", "1.5e-4", "15e-5"])
def test_another_spelling_is_the_same_value(text: str) -> None:
    spec = a_spec(training=training(learningRate=text))

    assert identity_differences(identity_of(a_spec(training=training())), spec) == []


def test_settings_are_no_part_of_it() -> None:
    other = a_spec(training=training(microBatchSize=2, activationCheckpointing=True, tokens="9M"))

    assert identity_differences(identity_of(a_spec(training=training())), other) == []


def test_differences_are_walked_down_into_lists() -> None:
    old, new = "a" * 70 + "/part-1.jsonl", "a" * 70 + "/part-2.jsonl"
    sources = ([{"name": "l", "kind": "Long", "path": path}] for path in (old, new))
    one, two = (a_spec(data={"shortFraction": "0", "sources": given}) for given in sources)

    (found,) = identity_differences(identity_of(one), two)

    assert found.path == "data.sources[0].path"
    assert "part-1" in str(found)
    assert "part-2" in str(found)
    assert len(str(found)) < 200


def test_a_list_of_another_length_differs_as_a_whole() -> None:
    assert [d.path for d in differences({"a": [1, 2]}, {"a": [1]})] == ["a"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.slow
@given(JSON, JSON)
def test_there_is_a_difference_exactly_where_values_are_not_equal(one: Any, other: Any) -> None:
    def plain(value: Any) -> Any:
        """A null field is as good as none."""
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if v is not None}
        return [plain(v) for v in value] if isinstance(value, list) else value

    equal = json.dumps(plain(one), sort_keys=True) == json.dumps(plain(other), sort_keys=True)
    if equal:
        assert list(differences(plain(one), plain(other))) == []
    elif plain(one) != plain(other):
        assert list(differences(plain(one), plain(other))) != []


def test_what_takes_effect_at_the_next_attempt_is_named() -> None:
    stored = settings_of(a_spec(training=training()))
    spec = a_spec(
        training=training(microBatchSize=2, tokens="9M"),
        topology={"env": [{"name": "A", "value": "b"}], "podTemplate": {"spec": {"a": [{"b": 1}]}}},
        suspend=True,
        evaluation={"workload": {"queueName": "q"}},
    )

    assert [d.path for d in changed_settings(stored, spec)] == [
        "topology.env",
        "topology.podTemplate.spec.a",
        "training.microBatchSize",
    ]


def test_settings_of_an_older_version_are_no_change() -> None:
    spec = a_spec()
    stored = settings_of(spec)
    del stored["training"]["notFiniteSteps"], stored["topology"]["sharedMemory"]

    assert changed_settings(stored, spec) == []


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("training.tokens", True),
        ("training.microBatchSize", False),
        ("data.sources[0].weight", True),
        ("data.sources[1].weight", False),
        ("data.sources[9].weight", False),
        ("data.ofTomorrow", False),
        ("training.tokens.ofTomorrow", False),
    ],
)
def test_a_field_is_given_where_it_says_something_else_than_its_default(
    path: str, wanted: bool
) -> None:
    heavy = {"name": "long", "kind": "Long", "path": "long.jsonl", "weight": "2"}
    light = {"name": "short", "kind": "Short", "path": "short.jsonl"}
    assert is_given(a_spec(data={"sources": [heavy, light]}), path) is wanted


def test_a_damaged_identity_says_where() -> None:
    with pytest.raises(InvalidInput, match=r"run\.json: model: is required"):
        identity_differences({"data": {}}, a_spec())


@pytest.mark.parametrize("name", ["tiny", "stopped"])
def test_a_run_that_version_1_recorded_is_the_same_run_today(name: str) -> None:
    import yaml

    stored = STORED / "v1" / "default" / name / "run.json"
    identity = RunIdentity.from_json(stored.read_bytes(), "run.json")
    manifest = yaml.safe_load((STORED / "v1" / f"{name}.yaml").read_text())

    assert identity_differences(identity.identity, LCCPRun.parse(manifest, "run").spec) == []
