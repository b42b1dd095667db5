"""Strategic merge of pod templates."""

from typing import Any

import pytest

from lccp_operator.kubernetes.api.merge import strategic_merge

CASES: dict[str, tuple[Any, Any, Any]] = {
    "a scalar is replaced": ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
    "a null deletes": ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
    "a null for what is not there is nothing": ({}, {"a": None}, {}),
    "maps are merged": ({"m": {"a": 1, "b": 2}}, {"m": {"b": 3}}, {"m": {"a": 1, "b": 3}}),
    "an atomic list is replaced": ({"command": ["a"]}, {"command": ["b"]}, {"command": ["b"]}),
    "tolerations are atomic": (
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
    "containers are merged by name": (
        {"containers": [{"name": "trainer", "image": "a", "env": [{"name": "X", "value": "1"}]}]},
        {"containers": [{"name": "trainer", "env": [{"name": "X", "value": "2"}]}, {"name": "s"}]},
        {
            "containers": [
                {"name": "trainer", "image": "a", "env": [{"name": "X", "value": "2"}]},
                {"name": "s"},
            ]
        },
    ),
    "mounts are merged by path": (
        {"volumeMounts": [{"mountPath": "/a", "name": "x"}]},
        {"volumeMounts": [{"mountPath": "/a", "readOnly": True}]},
        {"volumeMounts": [{"mountPath": "/a", "name": "x", "readOnly": True}]},
    ),
}


@pytest.mark.parametrize(("base", "patch", "merged"), CASES.values(), ids=CASES.keys())
def test_a_patch_is_merged_as_the_api_server_does_it(base: Any, patch: Any, merged: Any) -> None:
    before = repr(base)

    assert strategic_merge(base, patch) == merged
    assert repr(base) == before
