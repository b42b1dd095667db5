"""The identity of an installation: its release and namespace."""

from typing import Any

from a_workload import INSTALLATION

from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.installation import Installation, ReleaseSettings
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.observed import Owner


class Namespaces(api.Cluster):
    """A cluster that is asked for a namespace alone, and counts how often."""

    def __init__(self) -> None:
        self.asked = 0

    def get(self, kind: api.Kind, namespace: str | None, name: str) -> Object:
        assert (kind, namespace, name) == (api.NAMESPACES, None, "lccp-system")
        self.asked += 1
        return {"metadata": {"uid": "0123456789abcdef"}}


def an_installation(**given: Any) -> Installation:
    return INSTALLATION.model_copy(update=given)


def test_a_release_is_known_by_its_name_and_the_uid_of_its_namespace() -> None:
    release = ReleaseSettings(namespace="lccp-system", name="lccp")
    cluster = Namespaces()
    ownership = Ownership(cluster, an_installation(release=release, adopt_from=("a",)))

    assert ownership.owner == Owner("lccp-system/lccp@01234567", frozenset({"a"}))
    assert ownership.owner.id.startswith("lccp-system")
    assert cluster.asked == 1


def test_without_a_release_nobody_is_asked() -> None:
    cluster = Namespaces()

    assert Ownership(cluster, an_installation()).owner == Owner()
    assert cluster.asked == 0
