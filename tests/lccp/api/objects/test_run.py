"""Identity of a run, including as version 1 wrote it."""

from lccp.api.objects.run import RunIdentity


def test_version_1_called_the_identity_immutable() -> None:
    old = (
        b'{"schemaVersion": 1, "namespace": "n", "name": "r", "immutable": {"a": 1}, "digest": "d"}'
    )

    found = RunIdentity.from_json(old, "run.json")

    assert found == RunIdentity(namespace="n", name="r", digest="d", identity={"a": 1})
    assert RunIdentity.from_json(found.to_json(), "run.json") == found
