"""A program that computes passes runs without the C library's caches; what it starts does not."""

import os
import subprocess
import sys
from collections.abc import Mapping
from types import ModuleType

import pytest

from lccp_evaluator import __main__
from lccp_evaluator.starting import heap, warm
from lccp_evaluator.starting.heap import NO_CACHES, tuned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")

GIVEN = "glibc.malloc.arena_max=2"
CODE = """
import os, sys
from lccp_evaluator.starting import heap
started = open("/proc/self/environ").read()
heap.begin()
print("tcache_count=0" in started, os.environ.get(heap.VARIABLE), sys.argv[1:], sys.flags.isolated)
"""
INTERRUPTED = """
import os, signal
from lccp_evaluator.starting import heap
signal.signal(signal.SIGINT, signal.default_int_handler)
if heap.BEFORE in os.environ:
    os.kill(os.getpid(), signal.SIGINT)
try:
    heap.begin()
except KeyboardInterrupt:
    print("interrupted", signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""
PASSES = """
import resource
from lccp_evaluator.starting import heap
heap.begin()
import torch
from torch.nn import functional
torch.set_num_threads(1)
rows, up, down = torch.ones(1024, 576), torch.ones(1536, 576), torch.ones(576, 1536)
highest = []
with torch.inference_mode():
    for layer in range(40):
        gate = functional.silu(functional.linear(rows, up))
        rows = rows + functional.linear(gate * functional.linear(rows, up), down) * 1e-9
        highest.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(highest[-1] - highest[1])
"""


def run(code: str, environ: Mapping[str, str], *options: str) -> str:
    command = [sys.executable, *options, "-c", code, "a b", ""]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("given", [None, GIVEN])
def test_it_starts_anew_as_it_was_called_and_hands_its_environment_on_unchanged(
    given: str | None,
) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    told = environ if given is None else environ | {"GLIBC_TUNABLES": given}

    assert run(CODE, told, "-I") == f"True {given} ['a b', ''] 1"


@pytest.mark.slow
def test_ctrl_c_while_it_starts_anew_interrupts_the_call() -> None:
    assert run(INTERRUPTED, os.environ) == "interrupted set()"


@pytest.mark.slow
def test_the_heap_of_many_layers_is_that_of_the_first_two() -> None:
    """In MiB; with the caches, ten layers need half as much again as two."""
    assert float(run(PASSES, os.environ)) < 4


def test_settings_are_added_to_those_that_a_user_gave() -> None:
    assert tuned({}) == {"GLIBC_TUNABLES": NO_CACHES}
    assert tuned({"GLIBC_TUNABLES": GIVEN}) == {"GLIBC_TUNABLES": f"{NO_CACHES}:{GIVEN}"}


@pytest.mark.parametrize("program", [__main__, warm])
def test_evaluators_begin_with_it(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "begin", lambda: sys.exit("anew"))
    with pytest.raises(SystemExit, match="anew"):
        program.main()
