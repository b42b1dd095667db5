"""What a run reads from buckets and hubs."""

from lccp.api.objects.inputs import Input, InputFile, Inputs

FILES = {"a": InputFile(size=3, etag="1"), "b": InputFile(size=4, sha256="0" * 64)}
FOUND = Input(location="hf://org/base", revision="c0ffee", files=FILES)


def test_the_size_is_that_of_all_files() -> None:
    assert FOUND.size == 7


def test_whatever_differs_makes_another_digest() -> None:
    others = [
        FOUND.model_copy(update={"location": "hf://org/other"}),
        FOUND.model_copy(update={"revision": None}),
        FOUND.model_copy(update={"files": {"a": FILES["a"]}}),
        FOUND.model_copy(update={"files": FILES | {"a": InputFile(size=3, etag="2")}}),
    ]
    digests = {Input.parse(one.document(), "input").digest for one in (FOUND, *others)}
    assert len(digests) == len(others) + 1


def test_it_is_read_as_it_was_written() -> None:
    inputs = Inputs(inputs={"model.source": FOUND})

    assert Inputs.from_json(inputs.to_json(), "inputs.json") == inputs
