"""What options request of probes."""

from pathlib import Path
from typing import Any

import pytest

from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp_cli.measuring import Measuring
from lccp_cli.probes import probes_of, settings_of, token_counts, tokens_of


def asked(**options: Any) -> dict[str, Any]:
    return probes_of(Measuring(**options)).asked()


def test_without_options_the_probes_are_those_of_a_manifest() -> None:
    assert asked() == ProbesSpec().asked()


def test_a_device_that_is_not_there_is_refused_by_its_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    with pytest.raises(InvalidInput, match=r"^--device: this machine has no CUDA device: leave it"):
        settings_of(Measuring(device="cuda"))()


def test_options_of_the_grid_are_settings_of_niah() -> None:
    niah = asked(lengths="1K, 512", depths="0,50", haystacks=3, separator="\\n")["niah"]

    assert niah.lengths == (1_024, 512)
    assert niah.depths_percent == (0, 50)
    assert niah.separator == "\n"


def test_biographies_are_as_long_and_as_many_unless_a_file_says_otherwise(tmp_path: Path) -> None:
    bio = asked(lengths="1K,512", haystacks=3)["bio"]
    assert (bio.lengths, bio.documents) == ((1_024,), 3)

    file = tmp_path / "probes.yaml"
    file.write_text("bio: {documents: 5}")
    bio = asked(probes=file, lengths="1K", haystacks=3)["bio"]
    assert (bio.lengths, bio.documents) == ((), 5)


def test_all_probes_share_seed_and_template_as_far_as_they_have_one() -> None:
    found = asked(seed=7, template="{context}\\n{question}")

    assert {found["niah"].seed, found["bio"].seed} == {7}
    assert found["bio"].template == "{context}\n{question}"
    assert "seed" not in type(found["retrieval_heads"]).model_fields


def test_a_limit_is_the_most_of_what_intervals_are_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "probes.yaml"
    file.write_text("{corpusPpl: {documents: 3}, targetPpl: {path: q.jsonl}}")
    found = asked(probes=file, limit=4)

    assert found["niah"].haystacks == 4
    assert found["bio"].documents == 4
    assert found["corpus_ppl"].documents == 3
    assert found["target_ppl"].questions == 4
    assert asked(limit=4, haystacks=3)["niah"].haystacks == 3


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        (
            "niah: {enabled: false}\nretrievalHeads: {enabled: false}",
            {"depths": "0"},
            "--depths: is an option",
        ),
        ("[]", {}, "probes.yaml: must be a mapping"),
        ("niah: {haystack: 1}", {}, "probes.yaml: niah.haystack: "),
        ("a: 1\n---\nb: 2", {}, "probes.yaml: contains 2 YAML documents; it must contain one"),
    ],
)
def test_a_wrong_file_is_named(
    tmp_path: Path, text: str, options: dict[str, str], sentence: str
) -> None:
    file = tmp_path / "probes.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=sentence):
        asked(probes=file, **options)


def test_needles_are_a_list(tmp_path: Path) -> None:
    file = tmp_path / "needles.yaml"
    file.write_text("[{stem: s, key: k, question: q}]")
    assert [needle.stem for needle in asked(needles=file)["niah"].needles] == ["s"]
    file.write_text("{stem: s}")
    with pytest.raises(InvalidInput, match=r"needles\.yaml: must be a list of needles"):
        asked(needles=file)


@pytest.mark.parametrize(("name", "form"), [("a.jsonl", "JSONL"), ("a.txt", "Text")])
def test_a_haystack_is_read_by_what_it_is(tmp_path: Path, name: str, form: str) -> None:
    (tmp_path / name).touch()
    haystack = asked(haystack=tmp_path / name)["niah"].haystack

    assert (haystack.path, haystack.format) == (str(tmp_path / name), form)
    with pytest.raises(InvalidInput, match="--haystack: there is no file or folder"):
        asked(haystack=tmp_path / "none")


def test_tokens_are_counts_and_0_the_base_model() -> None:
    assert tokens_of("0, 4B,8192") == [0, 4 * 10**9, 8_192]
    assert tokens_of(None) is None
    with pytest.raises(
        InvalidInput, match=r"^--tokens: must be 0 or a number of tokens: .*, not ''$"
    ):
        tokens_of("4B,,8B")


def test_counts_come_from_an_index_or_steps(tmp_path: Path) -> None:
    file = tmp_path / "index.yaml"
    file.write_text("final: 8B")
    counts = token_counts(file, "4M")

    assert counts == type(counts)({"final": 8 * 10**9}, 4 * 10**6)
    with pytest.raises(InvalidInput, match=r"^--tokens-per-step: must be a number of tokens"):
        token_counts(None, "fast")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Measuring(context="x"), "^--context: must be a length in tokens"),
        (Measuring(source_context="1.5K"), "^--source-context: must be a length in tokens"),
        (Measuring(depths="200"), "^--depths"),
    ],
)
def test_wrong_options_are_refused_before_torch_is_imported(
    asked: Measuring, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        settings_of(asked)


def test_settings_are_made_of_what_was_asked() -> None:
    asked = Measuring(context="64K", device="cpu", dtype="float32", batch_size=7, seed=3)

    made = settings_of(asked)()

    assert (made.context, made.source_context) == (65_536, None)
    assert (made.execution.device, made.execution.dtype) == ("cpu", "float32")
    assert made.probes.asked()["niah"].model_dump()["seed"] == 3
