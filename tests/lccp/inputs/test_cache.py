"""The cache: each thing once, complete, and resumed after an interruption."""

import os
import threading
from pathlib import Path

import pytest

from lccp.api.objects.inputs import Input, InputFile
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.inputs.cache import DIGITS, cached
from lccp.inputs.remote import Wanted

FILES = {f"part-{number}": bytes(1000 + number) for number in range(20)}


class Place:
    """A remote that counts, and fails or waits where it is told to."""

    url = "s3://bucket/key"

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fails: set[str] = set()
        self.goes_on = threading.Event()
        self.goes_on.set()

    def find(self, wanted: Wanted) -> Input:
        files = {name: InputFile(size=len(data)) for name, data in FILES.items()}
        return Input(location="s3://bucket/key", files=files)

    def get(self, found: Input, name: str, folder: Path) -> None:
        self.goes_on.wait()
        if name in self.fails:
            raise StoreUnavailable("the place is down")
        self.got.append(name)
        (folder / name).write_bytes(FILES[name])


def everything(path: str) -> bool:
    return True


def fetch(place: Place, folder: Path) -> Path:
    return cached(place.find(everything), place, folder, "data", lambda here: None)


def test_an_interrupted_fetch_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    place = Place()
    place.fails = {"part-7"}
    with pytest.raises(StoreUnavailable):
        fetch(place, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and not path.suffix]
    place.fails.clear()

    folder = fetch(place, tmp_path)

    assert sorted(place.got) == sorted(FILES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_files_that_are_renamed_while_they_are_counted_disturb_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place()
    notes = tmp_path / f"{place.find(everything).digest[:DIGITS]}.part" / ".cache"
    notes.mkdir(parents=True)
    (notes / "x.incomplete").touch()
    stat = Path.stat

    def gone_after(path: Path, **options: bool) -> os.stat_result:
        found = stat(path, **options)
        if path.suffix == ".incomplete":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", gone_after)

    assert (fetch(place, tmp_path) / "part-0").read_bytes() == FILES["part-0"]


def test_what_a_killed_fetch_left_is_neither_counted_nor_kept_but_the_hubs_own_is(
    tmp_path: Path,
) -> None:
    place = Place()
    found = place.find(everything)
    part = tmp_path / f"{found.digest[:DIGITS]}.part"
    notes = part / ".cache" / "huggingface" / "x.incomplete"
    notes.parent.mkdir(parents=True)
    notes.write_bytes(bytes(7))
    (part / "part-0").write_bytes(FILES["part-0"])
    (part / ".part-1.c0ffee.part").write_bytes(bytes(500))
    (part / "below").mkdir()
    (part / "below" / ".x.c0ffee.part").touch()
    counted: list[int] = []
    kept: list[bool] = []

    def tick(here: int) -> None:
        counted.append(here)
        kept.append(notes.exists())
        place.goes_on.set()

    place.goes_on.clear()
    folder = cached(found, place, tmp_path, "data", tick)

    assert (counted[0], kept[0]) == (1007, True)
    assert "part-0" not in place.got
    assert {path.name for path in folder.rglob("*") if path.is_file()} == set(FILES)


@pytest.mark.slow
def test_of_two_that_want_the_same_one_fetches(tmp_path: Path) -> None:
    place = Place()
    folders: list[Path] = []
    both = [threading.Thread(target=lambda: folders.append(fetch(place, tmp_path))) for _ in "ab"]
    place.goes_on.clear()
    for one in both:
        one.start()
    place.goes_on.set()
    for one in both:
        one.join()

    assert len(place.got) == len(FILES)
    assert folders[0] == folders[1]


def test_whoever_is_told_of_the_progress_can_end_it(tmp_path: Path) -> None:
    place = Place()
    place.goes_on.clear()

    def stop(here: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(place.find(everything), place, tmp_path, "data", stop)
    place.goes_on.set()


def test_a_volume_that_is_too_small_is_named_before_anything_is_fetched(tmp_path: Path) -> None:
    place = Place()
    huge = Input(location="s3://bucket/key", files={"x": InputFile(size=10**18)})

    with pytest.raises(InvalidInput, match=r"^data: 1000000000.0 GB .* LCCP_CACHE"):
        cached(huge, place, tmp_path, "data", lambda here: None)
    assert place.got == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InvalidInput, match=r"file.* can't be written .*: set LCCP_CACHE"):
        fetch(Place(), tmp_path / "file")
