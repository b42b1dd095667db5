"""`spec.evaluation.probes`: a field for every probe of the registry, its settings as the type."""

from typing import TYPE_CHECKING, Any

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, rules
from lccp.probes.probe import Need, Probe
from lccp.probes.registry import PROBES

NOTHING_MEASURED = "probes are all null: give at least one, or nothing is ever measured"


def lacks(probe: Probe, need: Need) -> str:
    """The sentence for the person who turned off what `probe` reads the samples of."""
    own, other = to_camel(probe.name), to_camel(need.probe)
    where = f" with source {need.source}" if need.source else ""
    return f"{own}{where} needs {other}: give {other}, or set {own} to null"


def _rules() -> dict[str, Any]:
    names = [to_camel(name) for name in PROBES]
    found = [Rule(" || ".join(f"has(self.{name})" for name in names), NOTHING_MEASURED)]
    for probe in PROBES.values():
        for need in probe.needs:
            own, other = to_camel(probe.name), to_camel(need.probe)
            elsewhere = f"self.{own}.source != '{need.source}' || " if need.source else ""
            rule = f"!has(self.{own}) || {elsewhere}has(self.{other})"
            found.append(Rule(rule, lacks(probe, need), f".{own}"))
    return rules(*found)


class Probes(Contract):
    """The probes; a probe that is null is not run."""

    model_config = ConfigDict(json_schema_extra=_rules())

    def asked(self) -> dict[str, Contract]:
        """Settings of the probes that are to be run, by name, in the registry's order."""
        given = {name: getattr(self, name) for name in PROBES}
        return {name: settings for name, settings in given.items() if settings is not None}

    def replaced(self, settings: dict[str, Contract]) -> "ProbesSpec":
        """The same with other settings, by name of the probe."""
        return self.model_copy(update=settings)

    @model_validator(mode="after")
    def _can_be_run(self) -> "Probes":
        asked = self.asked()
        if not asked:
            raise ValueError(NOTHING_MEASURED)
        for name, settings in asked.items():
            for need in PROBES[name].needs:
                if need.holds(settings) and need.probe not in asked:
                    raise ValueError(lacks(PROBES[name], need))
        return self

    @model_serializer(mode="wrap")
    def _keeps_null(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A probe that is turned off is written as null: left out, it would be on."""
        on = {to_camel(name): None for name, probe in PROBES.items() if probe.default is not None}
        return {**on, **handler(self)}


if TYPE_CHECKING:
    ProbesSpec = Probes
else:
    PROBES.freeze()
    ProbesSpec = create_model(
        "ProbesSpec",
        __base__=Probes,
        __doc__=Probes.__doc__,
        **{
            probe.name: (
                probe.settings | None,
                Field(default=probe.default, description=probe.description),
            )
            for probe in PROBES.values()
        },
    )
