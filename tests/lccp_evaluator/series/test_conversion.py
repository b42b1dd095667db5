import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lccp.contract.errors import Conflict, InvalidInput
from lccp_evaluator.series.conversion import Conversion
from lccp_evaluator.series.formats import Foreign

COPY = "import sys; exec(open(sys.argv[1]).read())"
"""A converter that does what a test wrote into a file."""
HUGGING_FACE = """
import pathlib, shutil
output = pathlib.Path(sys.argv[3])
(output / "config.json").write_text("{}")
shutil.copy(sys.argv[2] + "/weights", output / "model.safetensors")
print("made", flush=True)
"""


class Converter:
    """A checkpoint of another format, and its conversion."""

    def __init__(self, folder: Path) -> None:
        self.path, self.script = folder / "dcp" / "step-1", folder / "script.py"
        self.path.mkdir(parents=True)
        self.write(0.0)
        self.script.write_text(HUGGING_FACE)
        self.cache = folder / "converted"
        self.command = f"{sys.executable} -c '{COPY}' {self.script} {{input}} {{output}}"
        self.conversion = Conversion(self.command, self.cache)
        self.foreign = Foreign(self.conversion)

    def write(self, value: float) -> None:
        save_file({"a": torch.full((9,), value)}, self.path / "weights")

    def convert(self) -> None:
        self.foreign.convert(self.path, self.foreign.stamps(self.path))

    def is_done(self) -> bool:
        return self.foreign.converted(self.path, self.foreign.stamps(self.path))

    def left(self) -> list[str]:
        return sorted({path.name for path in self.cache.iterdir()} - {".lccp"})


@pytest.fixture
def converter(tmp_path: Path) -> Converter:
    return Converter(tmp_path)


def test_the_model_lies_in_the_cache_with_what_it_was_made_of(converter: Converter) -> None:
    assert not converter.is_done()
    converter.convert()
    model = converter.conversion.model(converter.path)
    assert (model / "model.safetensors").read_bytes() == (converter.path / "weights").read_bytes()
    assert converter.left() == ["step-1", "step-1.json", "step-1.log"]
    assert (converter.cache / "step-1.log").read_text() == "made\n"
    assert converter.is_done()


@pytest.mark.slow
def test_a_touched_checkpoint_is_the_same_and_a_rewritten_one_is_not(converter: Converter) -> None:
    converter.convert()
    (converter.path / "weights").touch()
    assert converter.is_done()
    converter.write(1.0)
    assert not converter.is_done()
    converter.convert()
    assert converter.is_done()


def test_another_command_makes_another_model(converter: Converter) -> None:
    converter.convert()
    other = Foreign(Conversion(f"{converter.command} --more", converter.cache))
    assert not other.converted(converter.path, other.stamps(converter.path))


FAULTS = {
    "it fails": ("print('boom'); sys.exit(3)", "ended with exit code 3: boom"),
    "it prints nothing": ("sys.exit(3)", "ended with exit code 3: it printed nothing"),
    "it prints no text": (
        "print('\\x1b[2J\\x00boom'); sys.exit(3)",
        "ended with exit code 3: ?[2J?boom",
    ),
    "it leaves nothing": ("", "wrote no complete model: {output}: contains no config.json"),
    "it leaves half a model": (
        HUGGING_FACE + "\n(output / 'model.safetensors').write_bytes(b'12345678')",
        "wrote no complete model: {output}/model.safetensors: is cut short",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("script", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_failure_is_told_and_the_model_of_before_stays(
    converter: Converter, script: str, sentence: str
) -> None:
    converter.convert()
    converter.script.write_text(script)
    with pytest.raises(InvalidInput) as told:
        converter.convert()
    assert str(told.value).startswith(f"--convert: {sentence}")
    assert "step-1.log)" in str(told.value)
    assert converter.left() == ["step-1", "step-1.json", "step-1.log"]


def test_a_command_that_outlived_its_watch_shares_no_folder_with_a_later_one(
    converter: Converter, tmp_path: Path
) -> None:
    left, told = converter.cache / ".step-1.0.partial", tmp_path / "told"
    left.mkdir(parents=True)
    converter.script.write_text(f"{HUGGING_FACE}open({str(told)!r}, 'a').write(sys.argv[3] + ' ')")
    converter.convert()
    converter.write(1.0)
    converter.convert()

    first, second = told.read_text().split()
    assert first != second
    assert not left.exists()
    assert converter.left() == ["step-1", "step-1.json", "step-1.log"]


def test_one_that_takes_too_long_is_ended(converter: Converter) -> None:
    converter.script.write_text("import time; time.sleep(60)")
    conversion = Foreign(Conversion(converter.command, converter.cache, seconds_max=0.1))
    with pytest.raises(InvalidInput, match="took longer than 0 s"):
        conversion.convert(converter.path, conversion.stamps(converter.path))


def test_what_changes_meanwhile_is_not_taken(converter: Converter) -> None:
    change = "\nopen(sys.argv[2] + '/weights', 'ab').write(b'more')"
    converter.script.write_text(HUGGING_FACE + change)
    with pytest.raises(Conflict, match="was changed while it was converted"):
        converter.convert()
    assert converter.left() == ["step-1.log"]


@pytest.mark.slow
def test_a_command_that_writes_into_the_checkpoint_is_not_repeated_for_ever(
    converter: Converter,
) -> None:
    change = "\nopen(sys.argv[2] + '/log', 'a').write('more')"
    converter.script.write_text(HUGGING_FACE + change)
    for _ in range(2):
        with pytest.raises(Conflict):
            converter.convert()

    with pytest.raises(InvalidInput, match=r"changed 2 times .*--convert must not write into {in"):
        converter.convert()

    with pytest.raises(Conflict):  # whoever changed it may have ended
        converter.convert()
    converter.script.write_text(HUGGING_FACE)
    converter.convert()
    assert converter.is_done()


def test_a_command_that_is_not_there_is_told(converter: Converter) -> None:
    conversion = Foreign(Conversion("no-such-program {input} {output}", converter.cache))
    with pytest.raises(InvalidInput, match="no-such-program can't be run: No such file"):
        conversion.convert(converter.path, conversion.stamps(converter.path))


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("python to_hf.py {input}", "must name {input}, a checkpoint, and {output}"),
        ("python 'to_hf.py {input} {output}", "is not a command: No closing quotation"),
    ],
)
def test_a_command_that_names_no_directories_is_refused(
    command: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as told:
        Conversion(command, tmp_path)
    assert sentence in str(told.value)


@pytest.mark.slow
def test_a_damaged_record_is_none(converter: Converter) -> None:
    converter.convert()
    (converter.cache / "step-1.json").write_text("{")
    assert not converter.is_done()
    converter.convert()
    assert converter.is_done()


@pytest.mark.slow
def test_what_is_raised_while_it_runs_ends_it(converter: Converter) -> None:
    class Told(Exception):
        pass

    def tick() -> None:
        raise Told

    converter.script.write_text("import time; time.sleep(60)")
    conversion = Foreign(Conversion(converter.command, converter.cache, tick=tick))
    with pytest.raises(Told):
        conversion.convert(converter.path, conversion.stamps(converter.path))
    assert converter.left() == ["step-1.log"]
