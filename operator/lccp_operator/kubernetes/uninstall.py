"""A Helm hook before the release is deleted: whether deletions of runs still need the operator."""

import os
import sys
from collections.abc import Iterator

from lccp.contract.errors import LccpError, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.bodies import marks_of, purges

SHOWN = 20
HOW = (
    "delete them, or set their deletionPolicy to Retain, and uninstall again; to keep the release, "
    "helm rollback to its newest revision, before which helm upgrade is refused; helm uninstall "
    "--no-hooks uninstalls regardless, but without an operator the runs, their namespaces and the "
    "CRD can't be deleted"
)


def in_need(cluster: api.Cluster, installation: Installation) -> Iterator[str]:
    """The runs of this installation whose deletion waits for its operator: `namespace/name`."""
    owner = Ownership(cluster, installation).owner
    for namespace in installation.namespaces or (None,):
        for body in _runs(cluster, namespace):
            if purges(body) and owner.may_have(marks_of(body).installation):
                yield f"{body['metadata']['namespace']}/{body['metadata']['name']}"


def _runs(cluster: api.Cluster, namespace: str | None) -> list[Object]:
    """The runs of a namespace, or of all; none where the release no longer has access.

    Access ends with the deletion of a namespace, and the operator could delete nothing there.
    """
    try:
        return cluster.list(api.RUNS, namespace)
    except api.Forbidden:
        if namespace is None:
            raise
        return []


def refusal(cluster: api.Cluster, installation: Installation) -> str:
    """Why the release must not go yet; empty if it may."""
    try:
        found = sorted(in_need(cluster, installation))
    except NotFound:  # the CRD is gone, and all runs with it
        return ""
    if not found:
        return ""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    named = ", ".join(found[:SHOWN])
    return f"runs that need the operator to be deleted: {named}{more}: {HOW}"


def main() -> None:
    try:
        said = refusal(api.Cluster(api.connect()), Installation.load(os.environ))
    except LccpError as error:
        said = str(error)
    sys.exit(said or None)


if __name__ == "__main__":
    main()
