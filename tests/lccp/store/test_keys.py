"""The layout of keys, and what is not a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.contract.errors import InvalidInput
from lccp.store.keys import RunKeys, check_key, tokens_of, writer_name

KEYS = RunKeys(namespace="team", name="tiny")
WRITER = "a2-0123abcd"
BRANCH = KEYS.branch(8192)
BRANCHED = "team/tiny/branches/000000000008192/"
SFT = KEYS.fine_tuning(4096)
FINE_TUNED = "team/tiny/sft/000000000004096/"
EVALUATIONS = "team/tiny/evaluations/000000000000000/"


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        (KEYS.identity, "team/tiny/run.json"),
        (KEYS.journal, "team/tiny/journal.json"),
        (KEYS.verdict, "team/tiny/analysis/verdict.json"),
        (KEYS.control(2), "team/tiny/control/2.json"),
        (KEYS.heartbeat(WRITER), "team/tiny/training/a2-0123abcd/heartbeat.json"),
        (KEYS.history(WRITER), "team/tiny/training/a2-0123abcd/history.jsonl"),
        (KEYS.end(WRITER), "team/tiny/training/a2-0123abcd/end.json"),
        (KEYS.checkpoint(4096, WRITER), "team/tiny/checkpoints/000000000004096/a2-0123abcd/"),
        (KEYS.checkpoint_manifest(4096), "team/tiny/checkpoints/000000000004096/manifest.json"),
        (KEYS.state(4096, WRITER), "team/tiny/state/000000000004096/a2-0123abcd/"),
        (KEYS.state_manifest(4096), "team/tiny/state/000000000004096/manifest.json"),
        (BRANCH.control(2), "team/tiny/control/2.json"),
        (BRANCH.checkpoint(9000, WRITER), f"{BRANCHED}checkpoints/000000000009000/{WRITER}/"),
        (BRANCH.state_manifest(8500), f"{BRANCHED}state/000000000008500/manifest.json"),
        (SFT.identity, f"{FINE_TUNED}sft.json"),
        (SFT.checkpoint(512, WRITER), f"{FINE_TUNED}a2-0123abcd/"),
        (SFT.checkpoint_manifest(512), f"{FINE_TUNED}manifest.json"),
        (SFT.state_manifest(512), f"{FINE_TUNED}state/000000000000512/manifest.json"),
        (SFT.heartbeat(WRITER), f"{FINE_TUNED}training/a2-0123abcd/heartbeat.json"),
        (SFT.control(2), f"{FINE_TUNED}control/2.json"),
        (KEYS.all_samples, "team/tiny/samples/"),
        (KEYS.evaluation(0), f"{EVALUATIONS}intrinsic/"),
        (KEYS.report(0), f"{EVALUATIONS}intrinsic/report.json"),
        (KEYS.report(0, "lm-eval"), f"{EVALUATIONS}lm-eval/report.json"),
        (KEYS.evaluation_progress(0), f"{EVALUATIONS}intrinsic/progress.json"),
        (KEYS.evaluation_failure(0), f"{EVALUATIONS}intrinsic/failure.json"),
    ],
)
def test_the_layout_is_the_contract(key: str, spelled: str) -> None:
    assert key == spelled
    check_key(key.removesuffix("/"))


@given(first=st.integers(0, 10**15 - 1), second=st.integers(0, 10**15 - 1))
def test_checkpoints_sort_by_tokens(first: int, second: int) -> None:
    keys = KEYS.checkpoint_manifest(first), KEYS.checkpoint_manifest(second)
    assert (keys[0] < keys[1]) == (first < second)
    assert tokens_of(keys[0], KEYS.checkpoints) == first


@pytest.mark.parametrize(
    "key",
    [
        "team/tiny/checkpoints/x/manifest.json",
        "team/tiny/checkpoints/12/a",
        "team/tiny/state/000000000000001/a",
        "000000000000001/a",
    ],
)
def test_a_key_without_tokens_has_none(key: str) -> None:
    with pytest.raises(InvalidInput, match="15 digits"):
        tokens_of(key, KEYS.checkpoints)


def test_a_writer_is_named_by_attempt_and_uid() -> None:
    assert writer_name(3, "0123abcd-4567-89ab-cdef-0123456789ab") == "a3-0123abcd"


@pytest.mark.parametrize("unique", ["", "0123", "not-a-uid", "../../.."])
def test_two_writers_never_share_an_empty_name(unique: str) -> None:
    with pytest.raises(InvalidInput, match="UID"):
        writer_name(1, unique)


names = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/\\")
)


@pytest.mark.slow
@given(st.lists(names.filter(lambda name: name not in ("", ".", "..")), min_size=1, max_size=5))
def test_names_joined_by_slashes_are_a_key(segments: list[str]) -> None:
    key = "/".join(segments)
    if len(key.encode()) <= 255:
        check_key(key)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "single slashes"),
        ("/etc/passwd", "single slashes"),
        ("a//b", "single slashes"),
        ("a/", "single slashes"),
        ("a/../../b", "'..'"),
        (".", "'.'"),
        ("a\\b", "backslashes"),
        ("a\0b", "unprintable"),
        ("a\udc80", "unprintable"),
        ("a" * 256, "names of more than 255 bytes"),
        ("/".join(["é" * 100] * 6), "at most 1024 bytes"),
    ],
)
def test_what_names_no_object_is_refused(key: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        check_key(key)
