"""`training/<writer>/…`: what rank 0 reports about its attempt."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field

from lccp.api.causes import Cause
from lccp.api.objects.base import StoreObject
from lccp.api.objects.inputs import Fetched
from lccp.api.objects.losses import HeldOutLoss, PositionShare
from lccp.contract.base import Contract
from lccp.contract.scalars import Int64, Time, TokenCount


class Ledger(Contract):
    """Where the wall time of an attempt went, in seconds; the parts add up to all of it."""

    queued: Annotated[
        float,
        Field(
            description="From the decision to start it, or from the end of its pods that a queue "
            "took away, until a first process ran; made from the journal, not written."
        ),
    ] = 0.0
    starting: Annotated[
        float, Field(description="Until the first step: libraries, weights, state, data.")
    ] = 0.0
    productive: Annotated[float, Field(description="Steps whose work counts.")] = 0.0
    waiting_for_data: Annotated[float, Field(description="Steps that waited for a batch.")] = 0.0
    saving: Annotated[
        float, Field(description="Training held up by copies, and by uploads before them.")
    ] = 0.0
    measuring: Annotated[
        float, Field(description="Loss on held-out documents, at checkpoints.")
    ] = 0.0
    lost: Annotated[
        float, Field(description="Steps after the newest state, lost to a failure.")
    ] = 0.0
    hanging: Annotated[float, Field(description="Without step or heartbeat, until found.")] = 0.0
    ending: Annotated[float, Field(description="After the last step: uploads, and the end.")] = 0.0

    @property
    def total(self) -> float:
        return float(sum(self.model_dump().values()))

    @classmethod
    def of_all(cls, ledgers: Iterable[Self]) -> Self:
        """The sum over several attempts."""
        dumped = [ledger.model_dump() for ledger in ledgers]
        return cls(**{name: sum(one[name] for one in dumped) for name in cls.model_fields})

    @property
    def goodput(self) -> float | None:
        """Share of the wall time that was productive, 0 to 1, without the wait in a queue.

        None before there is any.
        """
        ran = self.total - self.queued
        return self.productive / ran if ran else None


class RouterRecord(Contract):
    """What the routers of the experts did since the previous logged step.

    By position band (first half of the context, second half), and by layer.
    """

    entropy: Annotated[
        tuple[tuple[float, ...], ...],
        Field(description="Mean entropy of a token's probabilities over the experts, nats."),
    ]
    busiest_share: Annotated[
        tuple[tuple[float, ...], ...],
        Field(description="Share of the tokens that chose the busiest expert, 0 to 1."),
    ]
    experts: Annotated[
        Int64 | None, Field(ge=1, description="Experts of a layer that tokens are routed to.")
    ] = None
    experts_per_token: Annotated[
        Int64 | None, Field(ge=1, description="How many of them process a token.")
    ] = None

    @property
    def even_share(self) -> float | None:
        """Share of the tokens that every expert gets where the load is even, 0 to 1."""
        if self.experts is None or self.experts_per_token is None:
            return None
        return self.experts_per_token / self.experts


class RouterLoad(StoreObject):
    """`routers.json`: the load of every expert, at the last logged step."""

    step: Annotated[Int64, Field(ge=0, description="Steps so far.")]
    load: Annotated[
        tuple[tuple[tuple[float, ...], ...], ...],
        Field(
            description="Share of the tokens that chose an expert, by band, layer and expert: in a "
            "layer they add up to the experts that a token passes."
        ),
    ]


class Spike(Contract):
    """A step whose loss or gradient norm stood out, and the reaction to it."""

    step: Annotated[Int64, Field(ge=0, description="Steps so far.")]
    tokens: Annotated[Int64, Field(ge=0, description="Tokens trained so far.")]
    signal: Annotated[Literal["Loss", "GradientNorm"], Field(description="What stood out.")]
    value: Annotated[float, Field(description="Its value.")]
    median: Annotated[float, Field(description="Median of the steps before.")]
    action: Annotated[
        Literal["Recorded", "Skipped", "Rewound"],
        Field(description="Only recorded; the batch left out; or back to the newest state."),
    ]


class StepRecord(Contract):
    """One logged step: a line of `history.jsonl`."""

    step: Annotated[
        Int64, Field(ge=0, description="Steps of the optimizer so far, over all attempts.")
    ]
    tokens: Annotated[Int64, Field(ge=0, description="Tokens trained so far.")]
    loss: Annotated[float, Field(description="Mean NLL per token of the step's batch, nats.")]
    loss_by_source: Annotated[
        dict[str, float],
        Field(
            description="Mean NLL per predicted token of each source, nats, over the steps since "
            "the logged one before."
        ),
    ] = {}
    learning_rate: Annotated[float, Field(description="Learning rate of the step.")]
    gradient_norm: Annotated[float | None, Field(description="Global norm before clipping.")] = None
    balance_loss: Annotated[
        float | None, Field(description="Loss that balances the experts, before its coefficient.")
    ] = None
    router: Annotated[RouterRecord | None, Field(description="The routers of the experts.")] = None
    spike: Annotated[Spike | None, Field(description="How it stood out, if it did.")] = None
    tokens_per_second: Annotated[float, Field(description="Throughput over the last steps.")]
    at: Annotated[Time, Field(description="When, UTC.")]


class Heartbeat(StoreObject):
    """`heartbeat.json`: how far the attempt has come; rewritten every few seconds."""

    attempt: Annotated[Int64, Field(ge=1, description="Attempt.")]
    writer: Annotated[str, Field(description="Writer, `a<attempt>-<8 hex>`.")]
    at: Annotated[Time, Field(description="When it was written, UTC.")]
    phase: Annotated[
        Literal["Starting", "Training", "Saving", "Ending", "Importing"],
        Field(description="What rank 0 does; the importer of an attached run: Importing."),
    ]
    fetched: Annotated[
        Fetched | None, Field(description="Model and documents, before the ranks are started.")
    ] = None
    step: Annotated[Int64, Field(ge=0, description="Steps so far.")] = 0
    tokens: Annotated[TokenCount, Field(description="Tokens so far.")] = 0
    tokens_total: Annotated[TokenCount, Field(description="The budget.")]
    accelerators: Annotated[
        Int64 | None, Field(ge=0, description="Accelerators of the gang: one a process; 0: CPUs.")
    ] = None
    loss: Annotated[float | None, Field(description="Loss of the last step.")] = None
    loss_by_source: Annotated[
        dict[str, float],
        Field(
            description="Mean NLL per predicted token of each source, nats, over the steps between "
            "the last two logged ones, with the last."
        ),
    ] = {}
    learning_rate: Annotated[float | None, Field(description="Learning rate of the last step.")] = (
        None
    )
    gradient_norm: Annotated[float | None, Field(description="Gradient norm of the last step.")] = (
        None
    )
    tokens_per_second: Annotated[float | None, Field(description="Throughput.")] = None
    mfu: Annotated[
        float | None, Field(description="Model FLOPs utilisation, 0 to 1; none on a CPU.")
    ] = None
    checkpoints: Annotated[
        tuple[Int64, ...], Field(description="Complete checkpoints, by tokens.")
    ] = ()
    states: Annotated[tuple[Int64, ...], Field(description="Complete states, by tokens.")] = ()
    resumed_from_tokens: Annotated[
        Int64 | None, Field(description="State that it resumed from.")
    ] = None
    router: Annotated[RouterRecord | None, Field(description="At the last logged step.")] = None
    spikes: Annotated[tuple[Spike, ...], Field(description="The newest spikes.")] = ()
    spikes_total: Annotated[Int64, Field(ge=0, description="Spikes of this attempt.")] = 0
    epochs: Annotated[
        dict[str, float],
        Field(
            description="How often each source was trained on so far, over all attempts: 1.5 is "
            "once and a half."
        ),
    ] = {}
    held_out: Annotated[
        HeldOutLoss | None, Field(description="Of the newest checkpoint whose loss was measured.")
    ] = None
    position_shares: Annotated[
        tuple[PositionShare, ...],
        Field(
            description="Of the tokens predicted between the last two logged steps, with the last: "
            "their positions in their documents, within the source context and by its doublings."
        ),
    ] = ()
    peak_memory_bytes: Annotated[
        Int64 | None, Field(description="Most memory of rank 0's accelerator, or of its process.")
    ] = None
    last_save_seconds: Annotated[
        float | None, Field(description="Time by which the last save held up the training.")
    ] = None
    ledger: Annotated[Ledger, Field(description="Where the attempt's time went so far.")] = Ledger()
    unsaved_seconds: Annotated[
        float, Field(description="Productive seconds since the newest complete state.")
    ] = 0.0
    step_seconds: Annotated[
        float, Field(description="Seconds since the last step ended; too many make a hang.")
    ] = 0.0
    unknown_fields: Annotated[
        tuple[str, ...],
        Field(description="Fields of the spec that its writer does not know and ignores."),
    ] = ()
    imports: Annotated[
        str | None, Field(description="Checkpoint that is converted or copied now, by its name.")
    ] = None
    problem: Annotated[
        str | None, Field(description="What hampers the attempt now, such as a store that is down.")
    ] = None

    @property
    def knows_states(self) -> bool:
        """Its trainer has looked for states, so `states` are all that there are."""
        return bool(self.states) or self.step > 0 or self.phase in ("Training", "Saving")


class End(StoreObject):
    """`end.json`: how the attempt ended."""

    result: Annotated[Cause, Field(description="Completed, Drained, or what went wrong.")]
    tokens: Annotated[TokenCount, Field(description="Tokens trained.")] = 0
    step: Annotated[Int64, Field(ge=0, description="Steps made.")] = 0
    rank: Annotated[Int64 | None, Field(description="Rank that failed first.")] = None
    message: Annotated[str, Field(description="One sentence.")] = ""
    ledger: Annotated[Ledger, Field(description="Where the attempt's time went.")] = Ledger()
    at: Annotated[Time, Field(description="When, UTC.")]
