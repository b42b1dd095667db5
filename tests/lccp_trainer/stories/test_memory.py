"""A process takes the memory that lccp.cost says; benchmarks/memory.py measures a dozen layouts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "memory.py"

pytestmark = pytest.mark.long


def test_a_process_holds_what_the_estimate_says(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    asked = ["--processes", "1", "--most", "1", "--json", told]
    subprocess.run([sys.executable, BENCHMARK, *asked], check=True, timeout=300)
    (case,) = json.loads(told.read_text())
    assert case["estimated"] == pytest.approx(case["measured"], rel=0.2)
