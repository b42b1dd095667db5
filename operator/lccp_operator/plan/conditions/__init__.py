"""The conditions of a run: what holds, why, and what to do.

Those of an accepted run are `found` by its context; those of one that is not accepted, or of which
something is not known, follow from what was said before.
"""

from lccp_operator.plan.conditions.found import dated, found
from lccp_operator.plan.conditions.held import Workloads, refused, uncertain

__all__ = ["Workloads", "dated", "found", "refused", "uncertain"]
