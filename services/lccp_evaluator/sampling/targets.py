"""The user's own questions as samples: each prompt is tokenized as a whole, as in a product.

Tokens that hold a character of the answer are judged. The common beginning of prompts about one
text is one part, so they share its pass.
"""

from collections.abc import Iterator

import numpy as np

from lccp.contract.errors import InvalidInput
from lccp.probes import target_ppl
from lccp.probes.target_ppl import TargetPplSettings
from lccp_evaluator.passes.tree import common_length
from lccp_evaluator.sampling.samples import Drawn, Ids, Labels, Sample, Slice, Span, part_of
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.sources.questions import Question, questions
from lccp_evaluator.sampling.tokenization import Tokenizer, check_known, space_between

FIELD = "evaluation.probes.targetPpl"
FULL, NONE = "full", "none"
"""Roles: the whole prompt; the same with an empty context."""
FEWEST_TEXTS = 2
REMEDY = "leave the line out, or write it in words of its vocabulary"
VERSION = 1


def draw(asked: TargetPplSettings, tokenizer: Tokenizer, files: Files) -> Drawn:
    """The samples of `asked`, its length resolved, from `files`.

    Raises:
        InvalidInput: a line is no question, or fewer than two texts have one that fits.
    """
    assert asked.length is not None
    drawn, too_long = Drawn(), 0
    texts: dict[str, tuple[int, Slice]] = {}
    for question in _questions(asked, files):
        ids, answer = _prompt(question, question.context, asked.template, tokenizer)
        check_known(tuple(ids.tolist()), tokenizer, question.where, REMEDY)
        if len(ids) > asked.length:
            too_long += 1
            continue
        if question.context not in texts:
            texts[question.context] = len(texts), drawn.part(ids)
        number, whole = texts[question.context]
        labels: Labels = {"context": number, "line": question.line}
        slices = _slices(drawn, whole, ids)
        drawn.samples.append(Sample(role=FULL, slices=slices, answer=answer, labels=labels))
        ids, answer = _prompt(question, "", asked.template, tokenizer)
        alone = (drawn.part(ids),)
        drawn.samples.append(Sample(role=NONE, slices=alone, answer=answer, labels=labels))
        if len(drawn.samples) == 2 * asked.questions:
            break
    _check_enough(asked, len(drawn.samples) // 2, len(texts), too_long)
    if too_long:
        drawn.notes.append(
            f"targetPpl: {too_long:,} questions are left out, since their prompts have more than "
            f"{asked.length:,} tokens"
        )
    return drawn


def _questions(asked: TargetPplSettings, files: Files) -> Iterator[Question]:
    fields = asked.context_field, asked.question_field, asked.answer_field
    ((field, texts),) = target_ppl.documents(asked).items()
    return questions(texts, fields, files, field)


def _prompt(
    question: Question, context: str, template: str, tokenizer: Tokenizer
) -> tuple[Ids, Span]:
    """Tokens of the prompt with its answer, and the answer's span in them."""
    head, tail = template.split("{context}")
    prompt = head + context + tail.replace("{question}", question.question)
    if not prompt[-1].isspace():
        prompt += space_between(prompt, question.answer)
    try:
        filled = context, question.question, question.answer
        is_marked = tokenizer.marks(template, *filled)
        piece = tokenizer.opening(prompt + question.answer, is_marked)
    except InvalidInput as error:
        raise InvalidInput(f"{question.where}: {error}") from None
    leading = tokenizer.leading_of(piece.ids)
    first, last = piece.at((len(prompt), len(prompt) + len(question.answer)))
    if piece.left_out or first == last:
        raise InvalidInput(
            f"{question.where}: the model's tokenizer has no token for a part of it, not even one "
            f"for unknown text: {REMEDY}"
        )
    ids = np.array((*leading, *piece.ids), dtype=np.int32)
    return ids, (len(leading) + first, len(leading) + last)


def _slices(drawn: Drawn, whole: Slice, ids: Ids) -> tuple[Slice, ...]:
    """`ids` as slices: the beginning that they share with `whole`, and the rest as a new part."""
    shared = common_length(drawn.parts[whole[0]], ids)
    beginning = part_of(whole, 0, shared)
    return (beginning,) if shared == len(ids) else (beginning, drawn.part(ids[shared:]))


def _check_enough(asked: TargetPplSettings, questions: int, texts: int, too_long: int) -> None:
    if texts < FEWEST_TEXTS:
        left_out = f" ({too_long:,} prompts are longer)" if too_long else ""
        raise InvalidInput(
            f"{FIELD}.path: {asked.path} has {questions} questions about {texts} texts that fit in "
            f"{asked.length:,} tokens{left_out}, but an interval needs two texts: give more, or "
            "request a longer length"
        )
