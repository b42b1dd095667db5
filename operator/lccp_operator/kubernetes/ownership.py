"""Identity of this installation: its release, and the namespace of the release.

The UID of that namespace distinguishes it from one of the same name on another cluster, and stays
when the release is uninstalled and installed again.
"""

from functools import cached_property

from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.observed import Owner

UID_LENGTH = 8


class Ownership:
    """The owner of all runs that `installation` carries out."""

    def __init__(self, cluster: api.Cluster, installation: Installation) -> None:
        self._cluster = cluster
        self._installation = installation

    @cached_property
    def owner(self) -> Owner:
        """Requested once. Raises ApiUnavailable, Forbidden."""
        release = self._installation.release
        if release is None:
            return Owner(adopts=frozenset(self._installation.adopt_from))
        uid = self._cluster.get(api.NAMESPACES, None, release.namespace)["metadata"]["uid"]
        own = f"{release.namespace}/{release.name}@{uid[:UID_LENGTH]}"
        return Owner(own, frozenset(self._installation.adopt_from))
