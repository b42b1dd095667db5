"""Read passages with a model: NLL of their answers, and what every head copies.

Probes use `Engine.read`. It takes a cohort of passages, in any order, and returns a reading for
each. A cohort should hold all passages that begin alike (those of one haystack), since beginnings
are shared only within it. One of five ways is used, and named in the report:

- Forked: beginnings are shared; the passages' tree runs in steps of bounded size;
- Stepped: passages one by one, each in steps of bounded size, where rotations depend on the length
  of the passage (RoPE scaling): they are fixed at its length;
- Whole: passages one by one, each in one pass, where the model does not allow steps;
- Native: passages one by one, by the model's own attention, where that cannot be computed here.
  Heads cannot be watched then;
- Cached: the same in steps of bounded size, from the model's own cache, where memory is too short
  for whole passages.

Logits exist only at rows that predict an answer token, one block of these at a time. Nothing of
size length x length or length x vocabulary is allocated.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model import capture, experts, finite, rope
from lccp_evaluator.model.execution import CUT, HEAD_ROWS, OWN, Way
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.model.head import body_of, logits_in_blocks
from lccp_evaluator.model.past import Past
from lccp_evaluator.passes.arena import Arena
from lccp_evaluator.passes.decoding import (
    HELD_PASSES,
    Text,
    Waiting,
    said_work,
    say,
    say_alone,
)
from lccp_evaluator.passes.loads import Loads
from lccp_evaluator.passes.passage import Heads, Passage, Reading
from lccp_evaluator.passes.readings import Readings
from lccp_evaluator.passes.schedule import Piece, Schedule, schedule
from lccp_evaluator.passes.step import Step
from lccp_evaluator.passes.tree import grow, separate
from lccp_evaluator.passes.work import Work

PassProgress = Callable[[int], None]
"""Called with the number of tokens computed: 0 before the first pass, then each pass's."""


@dataclass
class Engine:
    """A model, set up for its way (`ways.go`).

    A step has at most `step_tokens` tokens; logits exist at `head_rows` rows at a time. `watches`:
    whether heads are watched.
    """

    model: PreTrainedModel
    way: Way
    step_tokens: int
    watches: bool = True
    head_rows: int = HEAD_ROWS

    def __post_init__(self) -> None:
        if "logits_to_keep" not in inspect.signature(self.model.forward).parameters:
            raise InvalidInput(
                f"model type {self.model.config.model_type!r} cannot be evaluated: it cannot leave "
                "out the logits of other rows (logits_to_keep)"
            )
        self._body = body_of(self.model)
        self._past = Past()

    def planned(self, passages: Sequence[Passage]) -> Schedule:
        """How `passages` are to be computed; so their cost is known before."""
        if self.way == "Forked":
            return schedule(passages, grow(passages), self.step_tokens)
        return schedule(passages, separate(passages), self._at_once, is_shared=False)

    def slots(self, passages: Sequence[Passage], plan: Schedule) -> int:
        """Tokens whose keys and values are held while `passages` are read by `plan`."""
        return self._waiting(passages, plan).slots

    def read(
        self,
        passages: Sequence[Passage],
        progress: PassProgress = lambda tokens: None,
        plan: Schedule | None = None,
        masked: Heads = (),
    ) -> list[Reading]:
        """The readings of `passages`, in their order; `plan` is the result of `planned` for them.

        Heads that are `masked` contribute nothing at any token; the way must not be Native.

        Raises:
            InvalidInput: the load of experts is requested, but there are none.
            NotFiniteModel: NaN or infinite values; says in which layer they begin.
        """
        plan = plan or self.planned(passages)
        waiting = self._waiting(passages, plan)
        arena, said = Arena(waiting.slots), list[Text]()
        readings = Readings(passages)
        routed = [number for number, passage in enumerate(passages) if passage.bands]
        loads = Loads(passages, experts.count(self.model)) if routed else None
        progress(0)
        for pieces in plan.steps:
            watches = self.watches and self.way not in OWN
            layers = self._layers if loads is None else None
            step = Step(pieces, passages, arena, watches, masked=masked, layers=layers)
            if loads is None:
                self._take(step, readings)
            else:
                with experts.choices(self.model) as chosen:
                    self._take(step, readings)
                loads.add(pieces, chosen)
            progress(sum(piece.stop - piece.start for piece in pieces))
            said += self._said_after(step, waiting, progress)
        found = readings.collected()
        if loads is not None:
            for number in routed:
                found[number] = replace(found[number], load=loads.of(number))
        for text in said:
            tokens = np.array(text.said, np.int32)
            found[text.number] = replace(found[text.number], said=tokens)
        return found

    def work(self, passages: Sequence[Passage], plan: Schedule) -> Work:
        """The cost of reading `passages` by `plan`."""
        shared, resumes = self.way == "Forked", self.way == "Cached"
        said = (said_work(passage, shared, self._at_once, resumes) for passage in passages)
        return sum(said, Work.of(plan.steps, passages, self.watches))

    @property
    def _layers(self) -> int | None:
        """Number of layers, where it was tested that only attention reads other tokens."""
        if self.way != "Forked":
            return None
        return int(self.model.config.get_text_config(decoder=True).num_hidden_layers)

    def _rotated(self, step: Step) -> AbstractContextManager[None]:
        """Rotations as in all of the passage that `step` is of, where they depend on its length."""
        if self.way == "Stepped":
            return rope.at_length(self.model, len(step.passages[step.pieces[0].passage].ids))
        rope.forget_lengths(self.model)
        return nullcontext()

    @property
    def _at_once(self) -> int | None:
        """Tokens of a pass at most; None: all."""
        return self.step_tokens if self.way in CUT else None

    def _waiting(self, passages: Sequence[Passage], plan: Schedule) -> Waiting:
        room = HELD_PASSES * self.step_tokens if self.way == "Forked" else 0
        return Waiting(passages, plan.slots, room)

    def _said_after(self, step: Step, waiting: Waiting, progress: PassProgress) -> list[Text]:
        """The texts that the model generates after `step`."""

        def logits(step: Step) -> Iterator[Tensor]:
            yield from self._logits(step)
            progress(sum(piece.stop - piece.start for piece in step.pieces))

        answered: list[Text] = []
        for number, piece in self._ended(step):
            passage = step.passages[number]
            text = Text(number, passage.ids[: passage.answer[0]], passage.say)
            if self.way == "Forked":
                texts = waiting.take(text, piece.slots, step.arena)
                say(texts, step.arena, self._ends, logits)
            else:
                texts, resumes = [text], self.way == "Cached"
                say_alone(text, step.arena, self._at_once, resumes, self._ends, logits)
            answered += texts
        return answered

    def _ended(self, step: Step) -> Iterator[tuple[int, Piece]]:
        """Passages that the model answers after `step`, and the pieces that end there.

        Unless beginnings are shared, that overwrites what was read, so all of it was judged before.
        """
        for piece in step.pieces:
            numbers = [one.passage for one in piece.judged if one.place == 0]
            if self.way != "Forked":
                is_end = piece.stop == len(step.passages[piece.passage].ids)
                numbers = [piece.passage] if is_end else []
            yield from ((number, piece) for number in numbers if step.passages[number].say)

    @property
    def _ends(self) -> set[int]:
        """Tokens that end a text."""
        asked = self.model.generation_config
        ends = asked.eos_token_id if asked else None
        return {ends} if isinstance(ends, int) else set(ends or ())

    def _take(self, step: Step, readings: Readings) -> None:
        """Run `step`, and add its results to `readings`."""
        try:
            readings.add(step, self._logits(step))
        except NotFiniteModel:
            again = replace(step, watches=False, sights=[])
            raise finite.named(self.model, lambda: list(map(len, self._logits(again)))) from None

    def _logits(self, step: Step) -> Iterator[Tensor]:
        """Logits [n, V] at blocks of the step's kept rows."""
        device = self.model.device
        ids, positions = step.inputs(device)
        options: dict[str, Any] = {"use_cache": False}
        if self.way == "Cached":
            options = self._past.before(step.pieces[0].start)
        elif self.way in CUT:
            options["position_ids"] = positions

        def forward(rows: Tensor) -> Tensor:
            with torch.no_grad(), capture.observing(step), self._rotated(step):
                output = self.model(ids, logits_to_keep=rows, **options)
            if self.way == "Cached":
                self._past.keep(output)
            logits: Tensor = output.logits[0]
            return logits

        rows = torch.from_numpy(step.kept_rows)  # the head may be on another device
        return logits_in_blocks(self._body, rows, self.head_rows, forward)
