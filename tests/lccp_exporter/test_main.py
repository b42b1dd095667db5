"""The process: what it serves, its configuration, its end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from urllib.error import HTTPError

import a_run
import pytest
from scraped import Scraped

from lccp.store.file import FileStore
from lccp_exporter.config import configuration
from lccp_exporter.main import Exporter

pytestmark = pytest.mark.slow

LARGE = ("scipy", "plotly", "mlflow", "wandb", "tensorboardX", "pyarrow", "torch")


@pytest.fixture
def exporter(store: FileStore) -> Iterator[Exporter]:
    config = configuration([store.url], None, host="127.0.0.1", port=0, refresh_seconds=0.05)
    exporter = Exporter(config)
    exporter.start()
    yield exporter
    exporter.close()


def test_it_starts_without_libraries_that_take_much_memory() -> None:
    code = f"import sys, lccp_exporter.main; print([m for m in {LARGE!r} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_store_without_credentials_is_counted_and_others_are_read(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    config = configuration([store.url, "s3://bucket/p"], None, host="127.0.0.1", port=0)
    exporter = Exporter(config)
    exporter.start()
    try:
        errors = "lccp_exporter_store_errors_total"
        assert until(lambda: sorted(scraped(exporter, errors)) == [0, 1])
    finally:
        exporter.close()


def get(exporter: Exporter, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{exporter.server.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def scraped(exporter: Exporter, name: str) -> list[float]:
    return [s.value for s in Scraped.text(get(exporter, "/metrics")[1]).samples(name)]


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
    return False


def test_the_endpoint_follows_the_store(exporter: Exporter, store: FileStore) -> None:
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") == [a_run.CHECKPOINTS[6]])
    store.put(a_run.KEYS.heartbeat(a_run.WRITER), a_run.heartbeat(123).to_json())
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") == [123])
    store.delete(a_run.KEYS.identity)
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") == [])
    assert scraped(exporter, "lccp_exporter_store_errors_total") == [0]


def test_healthz_answers_and_other_paths_do_not_exist(exporter: Exporter) -> None:
    assert get(exporter, "/healthz") == (200, "ok\n")
    assert get(exporter, "/nothing")[0] == 404


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_no_fault(exporter: Exporter) -> None:
    assert until(lambda: scraped(exporter, "lccp_trained_tokens") != [])
    page = get(exporter, "/metrics")[1]
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, text=True, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_sigterm_ends_the_process_with_zero(store: FileStore) -> None:
    command = [sys.executable, "-m", "lccp_exporter", "--store", store.url]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr:
        line = json.loads(process.stderr.readline())
        assert line["message"].startswith("serving http://127.0.0.1:")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=20) == 0


WRONG: list[tuple[list[str], dict[str, str], str]] = [
    ([], {}, "lccp-exporter: no store to export: give --store URL or --stores FILE\n"),
    (["--stores", "nowhere.yaml"], {}, "lccp-exporter: nowhere.yaml: can't be read"),
    (["--store", "file://x", "--port", "70000"], {}, "lccp-exporter: configuration: port"),
    (["--store", "file://x"], {"LCCP_EXPORTER_PORT": "many"}, "Invalid value for '--port'"),
    (["--store", "file://x", "--log-level", "loud"], {}, "lccp-exporter: log level: must be"),
]
EACH_IN_A_PROCESS = """
import json, os, runpy, sys
import lccp_exporter.main
for arguments, environ, said in json.load(sys.stdin):
    child = os.fork()
    if not child:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
        os.environ.update(environ)
        sys.argv[1:] = arguments
        runpy.run_module("lccp_exporter", run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Starts the exporter with each configuration, forked from one process that has imported it."""


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """The exit code of each wrong configuration, and what it says on standard error."""
    folder = tmp_path_factory.mktemp("said")
    said = [folder / str(number) for number in range(len(WRONG))]
    asked = [
        (arguments, environ, str(path))
        for (arguments, environ, _), path in zip(WRONG, said, strict=True)
    ]
    command = [sys.executable, "-c", EACH_IN_A_PROCESS]
    done = subprocess.run(
        command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    codes = map(int, done.stdout.split())
    return [(code, path.read_text()) for code, path in zip(codes, said, strict=True)]


@pytest.mark.parametrize(
    ("number", "sentence"), [(number, sentence) for number, (*_, sentence) in enumerate(WRONG)]
)
def test_a_wrong_configuration_is_one_sentence(
    ends: list[tuple[int, str]], number: int, sentence: str
) -> None:
    code, said = ends[number]
    assert code == 2
    assert sentence in said
    assert "Traceback" not in said
