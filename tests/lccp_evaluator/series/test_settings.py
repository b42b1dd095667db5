"""A series is measured in one way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from measured import few
from tiny_checkpoints import a_checkpoint

from lccp.api.objects.report import EvaluationSource
from lccp.contract.errors import Incompatible, InvalidInput
from lccp.probes.probe import Contexts
from lccp_evaluator.series.settings import SeriesSettings, naming_options

SETTINGS = SeriesSettings(few(), source_context=256)
SOURCE = EvaluationSource(
    directory="model",
    files={},
    probes=few().document(),
    source_context_length=256,
    context_length=None,
)


def test_a_report_that_was_measured_so_is_taken() -> None:
    SETTINGS.check(SOURCE, Path("out"))


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"probes": few(haystacks=3)}, "other settings of the probes"),
        ({"source_context": 128}, "another --source-context"),
        ({"context": 512}, "another --context"),
    ],
)
def test_a_report_that_was_measured_otherwise_is_refused(
    changed: dict[str, Any], what: str
) -> None:
    with pytest.raises(Incompatible, match=rf"^out: was measured with {what}: give another folder"):
        replace(SETTINGS, **changed).check(SOURCE, Path("out"))


@pytest.mark.parametrize(
    ("refusal", "options"),
    [
        ("evaluation.probes.niah.haystack.path: a.jsonl, line 3: is not JSON", "--haystack, "),
        ("evaluation.probes.niah.needles[0]: is too long", "--needles, "),
        ("evaluation.probes.niah.lengths: are too few", "--lengths, "),
        ("evaluation.probes.niah.haystacks: are too many", "--haystacks, "),
        (
            "evaluation.probes.niah.lengths exceeds model.targetContextLength (128 > 1)",
            "--lengths, --context, ",
        ),
        ("evaluation.probes.bio: words are unknown", ""),
    ],
)
def test_a_refused_field_is_told_with_the_options_that_set_it(refusal: str, options: str) -> None:
    with pytest.raises(InvalidInput) as raised, naming_options():
        raise InvalidInput(refusal)
    assert str(raised.value) == f"{refusal} (set with {options}--probes)"


def test_samples_of_other_settings_are_told_without_options() -> None:
    with pytest.raises(Incompatible) as raised, naming_options():
        raise Incompatible("a: was drawn with other settings of evaluation.probes.niah (haystack)")
    assert str(raised.value).endswith("(haystack)")


def test_the_contexts_are_those_of_the_options_or_the_configuration(tmp_path: Path) -> None:
    model = a_checkpoint(tmp_path / "model")
    own = SeriesSettings(few()).contexts(model)

    assert own.source == own.target
    assert SETTINGS.contexts(model) == Contexts(256, own.target, own.target)
    assert replace(SETTINGS, context=384).contexts(model) == Contexts(256, 384, 384)
    with pytest.raises(InvalidInput, match=r"--source-context: 256 tokens lie beyond .*, 128"):
        replace(SETTINGS, context=128).contexts(model)
