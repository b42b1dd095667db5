"""The user's own questions: which are used, what is judged, and which lines are refused."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoints import a_tokenizer
from tokenizers import Tokenizer as Library
from tokenizers import models
from transformers import PreTrainedTokenizerFast

from lccp.contract.errors import InvalidInput
from lccp.probes.probe import Contexts
from lccp.probes.target_ppl import TargetPplSettings, resolved
from lccp_evaluator.sampling import targets
from lccp_evaluator.sampling.samples import Drawn, Sample
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer

CONTEXTS = Contexts(source=64, target=256, model=256)
SHORT, LONG = "The Work, or Your Work. ", "The Work, or Your Work. " * 100


@pytest.fixture(scope="module", params=["byte pairs", "pieces with BOS", "words"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    a_tokenizer(request.param).save_pretrained(folder)
    return Tokenizer(folder)


def _line(context: str, question: str = "Each Work?", answer: str = "the Work") -> str:
    return json.dumps({"context": context, "question": question, "answer": answer})


def _draw(folder: Path, lines: Sequence[str], tokenizer: Tokenizer, **settings: Any) -> Drawn:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    asked = resolved(TargetPplSettings(path=path.name, **settings), CONTEXTS)
    return targets.draw(asked, tokenizer, Files(folder))


def _ids(drawn: Drawn, sample: Sample) -> list[int]:
    return [
        i for part, start, stop in sample.slices for i in drawn.parts[part][start:stop].tolist()
    ]


def test_a_prompt_is_tokenized_in_one_go_and_its_answer_is_judged(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    drawn = _draw(tmp_path, [_line(SHORT), _line(f"You may. {SHORT}")], tokenizer)
    full, none = drawn.samples[:2]
    for sample, context in ((full, SHORT.strip()), (none, "")):
        prompt = f"{context}\n\nQuestion: Each Work?\nAnswer:"
        whole = tokenizer.opening(f"{prompt} the Work").ids
        assert _ids(drawn, sample) == [*tokenizer.leading, *whole]
        start = len(tokenizer.leading) + len(tokenizer.opening(prompt).ids)
        assert sample.answer == (start, sample.length)


def test_questions_about_one_text_share_its_tokens(tmp_path: Path, tokenizer: Tokenizer) -> None:
    lines = [_line(SHORT * 5, "You?"), _line(SHORT * 5, "Your?"), _line(SHORT)]
    first, second, other = (
        s for s in _draw(tmp_path, lines, tokenizer).samples if s.role == "full"
    )
    assert [s.labels for s in (first, second, other)] == [
        {"context": 0, "line": 1},
        {"context": 0, "line": 2},
        {"context": 1, "line": 3},
    ]
    assert first.slices[0][0] == second.slices[0][0]
    assert second.slices[0][2] > 0.5 * second.length


def test_longer_prompts_are_left_out_and_said(tmp_path: Path, tokenizer: Tokenizer) -> None:
    drawn = _draw(tmp_path, [_line(SHORT), _line(LONG), "", _line(f"You may. {SHORT}")], tokenizer)
    assert [s.labels["line"] for s in drawn.samples if s.role == "full"] == [1, 4]
    assert "1 questions are left out, since their prompts have more than 256" in drawn.notes[0]


def test_no_more_are_asked_than_wanted(tmp_path: Path, tokenizer: Tokenizer) -> None:
    lines = [_line(SHORT * number) for number in range(1, 6)]
    assert len(_draw(tmp_path, [*lines, "no JSON"], tokenizer, questions=3).samples) == 6


def test_an_answer_follows_a_template_as_it_is_written(tmp_path: Path) -> None:
    a_tokenizer("byte pairs").save_pretrained(tmp_path)
    tokenizer = Tokenizer(tmp_path)
    for template, joint in (("{context}{question}\n", ""), ("{context}{question}回答：", "")):
        lines = [_line("a"), _line("b")]
        drawn = _draw(tmp_path, lines, tokenizer, template=template)
        text = template.format(context="a", question="Each Work?") + joint + "the Work"
        assert _ids(drawn, drawn.samples[0]) == list(tokenizer.opening(text).ids)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: is not JSON: write one object a line, with 'context', 'question' and"),
        ("[1]", "line 2: is not a JSON object with 'context', 'question' and 'answer'"),
        ('{"context": "a", "query": "b"}', "line 2: has no field 'question', but 'context', 'que"),
        ('{"context": "a", "question": 7}', "line 2: 'question' must be a text, not 7"),
        (_line("a", answer=" \n"), "line 2: 'answer' is empty"),
        (
            '{"context": "a", "question": "b\\ud800", "answer": "c"}',
            "line 2: the text contains half",
        ),
        (_line("\u0416\u0416 " * 20), "line 2: .* tokens are unknown to the model's tokenizer"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, says: str) -> None:
    a_tokenizer("words").save_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match=rf"targetPpl.path: .*questions.jsonl, {says}"):
        _draw(tmp_path, [_line(SHORT), line], Tokenizer(tmp_path))


@pytest.mark.parametrize("answer", ["the Work#", "\u200b"])
def test_an_answer_that_the_tokenizer_passes_over_is_refused(tmp_path: Path, answer: str) -> None:
    characters = sorted(set(f"\n{SHORT}Question: Each Work?Answer: the Work"))
    vocabulary = {character: number for number, character in enumerate(characters)}
    library = PreTrainedTokenizerFast(tokenizer_object=Library(models.BPE(vocabulary, [])))
    library.save_pretrained(tmp_path)
    lines = [_line(SHORT), _line(f"You {SHORT}", answer=answer)]

    with pytest.raises(InvalidInput, match=r"line 2: the model's tokenizer has no token for a pa"):
        _draw(tmp_path, lines, Tokenizer(tmp_path))


def test_too_few_texts_are_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    lines = [_line(SHORT), _line(SHORT, "You?"), _line(LONG)]
    with pytest.raises(InvalidInput, match=r"2 questions about 1 texts .* \(1 prompts are longer"):
        _draw(tmp_path, lines, tokenizer)


def test_a_missing_file_is_named(tmp_path: Path, tokenizer: Tokenizer) -> None:
    asked = resolved(TargetPplSettings(path="none.jsonl"), CONTEXTS)
    with pytest.raises(InvalidInput, match=r"targetPpl.path: .*none.jsonl is missing"):
        targets.draw(asked, tokenizer, Files(tmp_path))


def test_special_tokens_of_a_template_are_single_tokens(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    lines = [_line(SHORT), _line(f"You may. {SHORT}")]
    drawn = _draw(tmp_path, lines, tokenizer, template="<s>{context}\n{question}</s>\n")
    begin, end = tokenizer.library.convert_tokens_to_ids(["<s>", "</s>"])
    answer = list(tokenizer.following("\nthe Work").ids)
    for sample in drawn.samples:
        ids = _ids(drawn, sample)
        assert ids.index(begin) == 0
        assert ids.count(begin) == ids.count(end) == 1
        assert ids[ids.index(end) + 1 :] == answer
        assert answer[-sample.length + sample.answer[0] :] == ids[slice(*sample.answer)]


def test_a_text_with_a_special_token_of_such_a_template_is_named(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    lines = [_line(SHORT), _line(f"{SHORT * 9}</s>")]
    with pytest.raises(InvalidInput, match=r"line 2: the text contains </s>, a special token"):
        _draw(tmp_path, lines, tokenizer, template="{context}{question}</s>")
    assert len(_draw(tmp_path, lines, tokenizer).samples) == 4
