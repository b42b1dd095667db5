"""The shape of a probe's torch-free half, and of the charts that it declares over its details."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lccp.contract.base import Contract
from lccp.contract.cel import Rule
from lccp.contract.errors import InvalidInput
from lccp.contract.signals import Scale, Signal
from lccp.probes.settings.prompts import Documents

if TYPE_CHECKING:
    from numpy.typing import NDArray

Details = Mapping[str, "NDArray[Any]"]
"""Arrays of one checkpoint by name, as stored beside its report."""


@dataclass(frozen=True)
class Contexts:
    """Context lengths of a model, in tokens: before the extension, after it, and in its config."""

    source: int
    target: int
    model: int
    """The one that the model's own configuration names."""


@dataclass(frozen=True)
class ClusterKind:
    """Groups of samples that share something, and so are not independent; kinds are crossed."""

    name: str
    """As in reports: `haystack`."""
    count: int
    """At most, where samples come from files."""
    share: Literal["Text", "Question"]
    """What the samples of a cluster have in common."""
    fixed: bool = False
    """No setting chooses their number."""


@dataclass(frozen=True)
class Axis:
    """One axis of an array of the details."""

    name: str
    """Such as `length`; the label of metrics."""
    title: str
    values: str | None = None
    """Array that holds the values along it; None: they are counted from 0."""
    text: Literal["tokens", "percent", "number"] = "number"
    """How a value is written."""


LENGTHS = Axis("length", "length (tokens)", "lengths", "tokens")
DEPTHS = Axis("depth", "depth", "depths_percent", "percent")
"""Of probes with questions at every length and depth."""


@dataclass(frozen=True)
class HeatMaps:
    """A heat map for each checkpoint: `array` [down, across], one colour scale for all.

    A cell without samples, or a head that sees no needle, is NaN. Along an axis with `values` there
    is a number in each row and column.
    """

    title: str
    caption: str
    array: str
    unit: str
    down: Axis
    across: Axis
    scale: Scale = Scale.LINEAR
    divided: bool = False
    """A line parts the lengths within the source context from those beyond it."""


@dataclass(frozen=True)
class Profile:
    """A line for each checkpoint: `array` [along]."""

    title: str
    caption: str
    array: str
    unit: str
    along: Axis
    scale: Scale = Scale.LINEAR


@dataclass(frozen=True)
class SignalCurves:
    """Signals against tokens, a panel for each group of them."""

    title: str
    caption: str
    panels: tuple[tuple[str, ...], ...]
    """Names of signals, by panel; `corpus_ppl` stands for all that are named `corpus_ppl/…`."""
    log_law: tuple[str, ...] = ()
    """Of these, perplexities, through which the law A ln N + B over tokens N is drawn."""
    log_tokens: bool = False
    """On a logarithmic axis of tokens, which has no checkpoint 0."""


Chart = HeatMaps | Profile | SignalCurves


@dataclass(frozen=True)
class Column:
    """A signal in tables that hold few, such as kubectl's."""

    signal: str
    title: str
    wide: bool = False
    """It is shown only in wide tables."""


@dataclass(frozen=True)
class ComparisonSignals:
    """Signals that compare a checkpoint with others, from the details of several."""

    signals: tuple[Signal, ...]
    values: Callable[[Any, Sequence[Details]], Mapping[str, Sequence[float | None]]]
    """Given the settings and the details by checkpoint, oldest first: values by signal and
    checkpoint. Each needs the details of the first checkpoint, its own, and those before it."""


def _always(_settings: Any, _target_context: int) -> str | None:
    return None


def _as_given(settings: Any, _contexts: Contexts) -> Any:
    return settings


def _everywhere(_settings: Any, _tokens: int) -> bool:
    return True


def _no_clusters(_settings: Any) -> tuple[ClusterKind, ...]:
    return ()


def _all_kinds(_signal: str, kinds: Sequence[ClusterKind]) -> Sequence[ClusterKind]:
    return kinds


def _no_documents(_settings: Any) -> Mapping[str, Documents]:
    return {}


def _no_signals(_settings: Any) -> tuple[Signal, ...]:
    return ()


@dataclass(frozen=True)
class Need:
    """A probe whose samples another probe reads."""

    probe: str
    source: str = ""
    """Value of the setting `source` with which it does; empty: always."""

    def holds(self, settings: Any) -> bool:
        """Whether it is read with these settings."""
        return not self.source or settings.source == self.source

    def is_meant(self, settings: Mapping[str, Any]) -> bool:
        """The same of settings as a document."""
        return self.source in ("", settings.get("source"))


@dataclass(frozen=True)
class Probe:
    """The torch-free half of a probe."""

    name: str
    """Names its settings in the manifest (in camelCase), its part of a report, and its details."""
    description: str
    """One sentence, for the reference of the manifest."""
    definition: str
    """How its signals are defined, with formulas and sources; for the reference of probes."""
    version: int
    """Rises when its numbers change their meaning."""
    settings: type[Contract]
    default: Contract | None
    """Settings where the manifest gives none; None: it is off unless the manifest requests it."""
    example: Contract | None = None
    """Settings for references, where it is off by default and cannot run without settings."""
    look: Mapping[str, Any] = field(default_factory=dict)
    """Settings with which its signals are a first look, which decides nothing; none: there are no
    such settings."""
    needs: tuple[Need, ...] = ()
    """Probes whose samples it reads: without them it cannot run."""
    resolved: Callable[[Any, Contexts], Any] = _as_given
    """Settings with their defaults resolved. Raises InvalidInput if they do not fit."""
    at: Callable[[Any, int], bool] = _everywhere
    """Whether it is measured at the checkpoint with these tokens; one with samples always is."""
    signals: Callable[[Any], tuple[Signal, ...]] = _no_signals
    """The signals that it measures with given settings."""
    clusters: Callable[[Any], tuple[ClusterKind, ...]] = _no_clusters
    """Clusters of its samples with given settings; none: those of the probe that it reads."""
    averaged: Callable[[str, Sequence[ClusterKind]], Sequence[ClusterKind]] = _all_kinds
    """Of those, the kinds by which a signal, given by name, is reported."""
    columns: tuple[Column, ...] = ()
    charts: tuple[Chart, ...] = ()
    comparison: ComparisonSignals | None = None
    rules: tuple[Rule, ...] = ()
    """Rules in CEL about the whole spec; `fits` says the same in Python."""
    fits: Callable[[Any, int], str | None] = _always
    """What is wrong with settings for a target context (tokens), or None."""
    documents: Callable[[Any], Mapping[str, Documents]] = _no_documents
    """Documents in files named by settings, by the field below `spec` that holds their path."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if references could not show any settings."""
        required = [n for n, field in self.settings.model_fields.items() if field.is_required()]
        if required and not (self.default or self.example):
            raise InvalidInput(
                f"probe {self.name}: the setting {required[0]} has no default: give the probe an "
                "example of its settings"
            )

    @property
    def usual(self) -> Any:
        """Settings where no manifest gives any."""
        return self.default or self.example or self.settings()

    def is_look(self, settings: Mapping[str, Any]) -> bool:
        """Whether these settings, as a document, are those of a first look."""
        return bool(self.look) and self.look.items() <= settings.items()

    def reads(self, settings: Any) -> str | None:
        """The probe whose samples it reads with these settings; None: it draws its own."""
        return next((need.probe for need in self.needs if need.holds(settings)), None)
