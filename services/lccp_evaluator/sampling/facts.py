"""Questions about facts in documents of biographies, at every length and depth.

A sample of length L has at most L tokens:

    opening | beginning of a document | question | answer

The beginning is the same for all questions of a document and a length, so they share its pass. The
needle of a sample is what its answer repeats: the value in the document, or the sentence that
states it. A fact is left out if its tokens differ between document and answer (a tokenizer may join
a value to the text around it).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lccp.contract.errors import InvalidInput
from lccp.probes.bio import BioSettings
from lccp_evaluator.sampling.samples import Drawn, Labels, Sample, Slice, Span, part_of
from lccp_evaluator.sampling.sources import biographies
from lccp_evaluator.sampling.sources.biographies import Document, Fact
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import TokenizedText, Tokenizer, check_known

FIELD = "evaluation.probes.bio"
REMEDY = "write bio: {enabled: false} and retrievalHeads: {source: Niah}"
TOKENS_PER_PERSON = 150
"""More than biographies have: people are added until there are enough tokens."""
VERSION = 1


@dataclass(frozen=True)
class AskedFact:
    """A fact as a question; `needle` in the tokens of its document, `stop` its sentence's end.

    `question` ends where the answer begins, of which `key_start` tokens precede the value.
    """

    attribute: int
    needle: Span
    stop: int
    question: tuple[int, ...]
    answer: tuple[int, ...]
    key_start: int


def draw(bio: BioSettings, tokenizer: Tokenizer, _files: Files) -> Drawn:
    """The samples of `bio`, its defaults resolved.

    Raises:
        InvalidInput: a length holds no fact to ask about, or the tokenizer does not know the
            words of the biographies.
    """
    head, tail = bio.template.split("{context}")
    drawn = Drawn(names={"attribute": biographies.attributes()})
    opening = drawn.part(tokenizer.beginning(head))
    for number in range(bio.documents):
        document, piece = _document(bio, number, tokenizer)
        asked = list(_askable(document, piece, tail, bio.answer, tokenizer))
        context = drawn.part(piece.ids)
        for length in bio.lengths:
            taken = length - opening[2] - _reserve(asked)
            facts = [fact for fact in asked if fact.stop <= taken]
            if not facts:
                raise InvalidInput(
                    f"{FIELD}.lengths: {length} tokens contain no fact to ask about: request "
                    f"longer prompts, or {REMEDY}"
                )
            frame = opening, part_of(context, 0, taken)
            for depth, fact in chosen(facts, bio.depths_percent, bio.questions, taken, number):
                labels: Labels = {
                    "nominal_length": length,
                    "depth_percent": depth,
                    "achieved_depth_percent": round(100 * fact.needle[0] / taken, 3),
                    "document": number,
                    "attribute": fact.attribute,
                }
                drawn.samples.append(_sample(frame, fact, labels, drawn))
    return drawn


def chosen(
    facts: Sequence[AskedFact], depths: Sequence[int], questions: int, tokens: int, turn: int
) -> Iterator[tuple[int, AskedFact]]:
    """The nearest facts for each depth (percent of `tokens`); attributes take turns from `turn`.

    No fact is used twice; if facts run out, a depth has fewer.
    """
    left = list(facts)
    for depth in depths:
        for _ in range(questions):
            if not left:
                return
            wanted = turn % len(biographies.attributes())
            of_turn = [fact for fact in left if fact.attribute == wanted] or left
            at = tokens * depth / 100
            nearest = min(of_turn, key=lambda fact: abs(fact.needle[0] - at))
            left.remove(nearest)
            turn += 1
            yield depth, nearest


def _document(
    bio: BioSettings, number: int, tokenizer: Tokenizer
) -> tuple[Document, TokenizedText]:
    """Document `number`, and its tokens: at least as many as the longest prompt."""
    people = bio.lengths[-1] // TOKENS_PER_PERSON + 1
    while True:
        document = biographies.document(people, f"{bio.seed}/{number}", bio.density)
        piece = tokenizer.following(document.text)
        if len(piece.ids) >= bio.lengths[-1]:
            check_known(piece.ids, tokenizer, FIELD, REMEDY)
            return document, piece
        people *= 2


def _askable(
    document: Document, piece: TokenizedText, tail: str, answer: str, tokenizer: Tokenizer
) -> Iterator[AskedFact]:
    numbers = {name: number for number, name in enumerate(biographies.attributes())}
    for fact in document.facts:
        part = fact.value_at if answer == "Value" else fact.sentence
        needle = piece.at(part)
        prompt, answered = _asked(fact, document, tail, answer, tokenizer)
        if answered == piece.ids[slice(*needle)]:
            value = piece.at(fact.value_at)
            stop = piece.at(fact.sentence)[1]
            before = value[0] - needle[0]
            yield AskedFact(numbers[fact.attribute], needle, stop, prompt, answered, before)


def _asked(
    fact: Fact, document: Document, tail: str, answer: str, tokenizer: Tokenizer
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids of the question up to the answer, and of the answer."""
    whole = document.text[slice(*fact.sentence)]
    before, text = (f" {fact.stem}", fact.value) if answer == "Value" else ("", whole)
    prompt = tail.replace("{question}", fact.question) + before + " "
    piece = tokenizer.following(prompt + text, tokenizer.marks(tail))
    first, last = piece.at((len(prompt), len(prompt) + len(text)))
    return piece.ids[:first], piece.ids[first:last]


def _reserve(asked: Sequence[AskedFact]) -> int:
    """Tokens of the longest question with its answer."""
    return max((len(fact.question) + len(fact.answer) for fact in asked), default=0)


def _sample(frame: tuple[Slice, Slice], fact: AskedFact, labels: Labels, drawn: Drawn) -> Sample:
    slices = (*frame, drawn.part(fact.question), drawn.part(fact.answer))
    opening, length = frame[0][2], sum(stop - start for _, start, stop in slices)
    return Sample(
        slices=slices,
        needle=(opening + fact.needle[0], opening + fact.needle[1]),
        answer=(length - len(fact.answer), length),
        key_start=fact.key_start,
        labels=labels,
    )
