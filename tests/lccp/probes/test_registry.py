"""The registry: explicit, frozen, and the only place where another probe must be named."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.probes.niah import PROBE
from lccp.probes.probe import Column, SignalCurves
from lccp.probes.registry import PROBES, Registry
from lccp.probes.settings.bands import quantity

FAKE_PROBE = Path(__file__).parents[2] / "support" / "probes" / "fake_probe.py"


@pytest.mark.slow
def test_a_further_probe_appears_everywhere(tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, str(FAKE_PROBE), str(tmp_path)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    missing = [place for place, found in json.loads(ran.stdout).items() if not found]
    assert missing == []


def test_it_is_frozen_once_the_manifest_is_made() -> None:
    assert ProbesSpec().asked()
    with pytest.raises(InvalidInput, match="registry is frozen"):
        PROBES.add(PROBE)


def test_a_name_is_taken_once() -> None:
    with pytest.raises(InvalidInput, match="niah: is registered twice"):
        Registry(PROBE, PROBE)


@pytest.mark.parametrize("name", PROBES)
def test_columns_and_charts_name_signals_that_the_probe_declares(name: str) -> None:
    probe = PROBES[name]
    compared = probe.comparison.signals if probe.comparison else ()
    declared = {signal.name for signal in (*probe.signals(probe.usual), *compared)}
    declared |= {name.partition("/")[0] for name in declared}
    named = {column.signal for column in probe.columns if isinstance(column, Column)}
    for chart in probe.charts:
        if isinstance(chart, SignalCurves):
            named |= {signal for panel in chart.panels for signal in panel}
    assert named <= declared


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_that_reads_a_path_tells_which_documents_lie_there(name: str) -> None:
    probe = PROBES[name]
    if "path" in probe.settings.model_fields:
        assert probe.documents(probe.usual)


@pytest.mark.parametrize("name", PROBES)
def test_every_signal_is_defined(name: str) -> None:
    probe = PROBES[name]
    compared = probe.comparison.signals if probe.comparison else ()
    quantities = {quantity(signal) for signal in (*probe.signals(probe.usual), *compared)}
    parts = r"(_guard)?(/[a-z])?`"
    assert [one for one in quantities if not re.search(f"`{one}{parts}", probe.definition)] == []


def test_settings_that_need_something_need_an_example() -> None:
    with pytest.raises(InvalidInput, match="probe target_ppl: the setting path has no default"):
        replace(PROBES["target_ppl"], example=None)


def test_signals_have_distinct_names() -> None:
    names = [signal.name for signal in PROBES.signals()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "own", "preset", "is_look"),
    [
        ("niah", {"preset": "Quick"}, "Quick", True),
        ("niah", {"preset": "Standard"}, "Standard", False),
        ("interference", {}, "Quick", True),
        ("retrieval_heads", {"source": "Niah"}, "Quick", True),
        ("retrieval_heads", {"source": "Bio"}, "Quick", False),
        ("corpus_ppl", {}, "Quick", False),
        ("my_suite", {}, "Quick", False),
    ],
)
def test_a_look_is_one_also_for_those_that_read_its_samples(
    name: str, own: dict[str, str], preset: str, is_look: bool
) -> None:
    assert PROBES.is_look(name, {"niah": {"preset": preset}, name: own}) is is_look
