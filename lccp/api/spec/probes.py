"""`spec.evaluation.probes`: a field for every probe of the registry, its settings as the type."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, enabled, rules
from lccp.probes.probe import Need, Probe
from lccp.probes.registry import PROBES

NOTHING_MEASURED = "all probes are off: turn one on, or nothing will be measured"
OFF = {"enabled": False}


def lacks(probe: Probe, need: Need) -> str:
    """The message for a user who turned off a probe whose samples `probe` reads."""
    own, other = to_camel(probe.name), to_camel(need.probe)
    where = f" with source {need.source}" if need.source else ""
    return f"{own}{where} needs {other}: turn {other} on, or write {own}: {{enabled: false}}"


def null(name: str) -> str:
    """The message for a user who wrote null, which `kubectl apply` may drop silently."""
    return f"{name}: null turns nothing off: write {name}: {{enabled: false}}"


def _rules() -> dict[str, Any]:
    names = [to_camel(name) for name in PROBES]
    found = [Rule(" || ".join(enabled(f"self.{name}") for name in names), NOTHING_MEASURED)]
    for probe in PROBES.values():
        own = to_camel(probe.name)
        if probe.default is not None:
            found.append(Rule(f"has(self.{own})", null(own), f".{own}"))
        for need in probe.needs:
            on = enabled(f"self.{to_camel(need.probe)}")
            elsewhere = f"self.{own}.source != '{need.source}' || " if need.source else ""
            rule = f"!({enabled(f'self.{own}')}) || {elsewhere}{on}"
            found.append(Rule(rule, lacks(probe, need), f".{own}"))
    return rules(*found)


class Probes(Contract):
    """The probes; one that is not enabled is not run."""

    model_config = ConfigDict(json_schema_extra=_rules())

    def asked(self) -> dict[str, Contract]:
        """Settings of the enabled probes, by name, in the registry's order."""
        given = {name: getattr(self, name) for name in PROBES}
        return {name: settings for name, settings in given.items() if settings is not None}

    def replaced(self, settings: dict[str, Contract]) -> "ProbesSpec":
        """A copy with other settings, by name of the probe."""
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

    @model_serializer
    def _written(self) -> dict[str, Any]:
        """Settings by probe; one that is off is written too, since by default it would be on."""
        off = {to_camel(name): OFF for name, probe in PROBES.items() if probe.default is not None}
        return off | {to_camel(name): one.document() for name, one in self.asked().items()}


def _field(probe: Probe) -> tuple[Any, Any]:
    """Type and default of a probe's field: its settings and `enabled`; None if it is off."""
    written = create_model(
        probe.settings.__name__,
        __base__=probe.settings,
        __doc__=probe.settings.__doc__,
        enabled=(StrictBool, Field(default=True, description="Whether the probe is run.")),
    )

    def settings(value: Any, validated: ValidatorFunctionWrapHandler) -> Contract | None:
        if isinstance(value, probe.settings):
            return value
        if value is None and probe.default is not None:
            raise ValueError(null(to_camel(probe.name)))
        given = validated(value)
        if given is None or not given.enabled:
            return None
        values = {name: getattr(given, name) for name in probe.settings.model_fields}
        return probe.settings.model_construct(given.model_fields_set - {"enabled"}, **values)

    return (
        Annotated[written | None, WrapValidator(settings)],
        Field(default=probe.default, description=probe.description),
    )


if TYPE_CHECKING:
    ProbesSpec = Probes
else:
    PROBES.freeze()
    ProbesSpec = create_model(
        "ProbesSpec",
        __base__=Probes,
        __doc__=Probes.__doc__,
        **{probe.name: _field(probe) for probe in PROBES.values()},
    )
