"""Which files are needed."""

import pytest

from lccp.inputs.remote import of_a_model, of_documents


@pytest.mark.parametrize(
    ("path", "is_needed"),
    [
        ("config.json", True),
        ("model-00001-of-00002.safetensors", True),
        ("modeling_own.py", True),
        ("original/consolidated.safetensors", False),
        ("pytorch_model.bin", False),
        (".gitattributes", False),
    ],
)
def test_a_model_is_its_weights_configuration_and_tokenizer(path: str, is_needed: bool) -> None:
    assert of_a_model(path) is is_needed


@pytest.mark.parametrize(
    ("path", "is_needed"),
    [("a.jsonl", True), ("b/c", True), (".d", False), ("e/.f/g", False)],
)
def test_documents_are_all_that_is_not_hidden(path: str, is_needed: bool) -> None:
    assert of_documents(path) is is_needed
