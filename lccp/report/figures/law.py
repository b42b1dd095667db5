"""The log law of a perplexity, drawn through its course."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from lccp.analysis.laws.loglaw import FEWEST, LogLaw
from lccp.api.objects.policy import Policy
from lccp.report.figures.style import TokenAxis

POINTS = 60


def log_law(
    ppl: Mapping[int, float], title: str, policy: Policy, axis: TokenAxis, colour: str
) -> go.Scatter | None:
    """PPL = A ln N + B through `ppl` by tokens, with A's interval; None below four checkpoints.

    The checkpoints count that are trained, and beyond the warm-up.
    """
    tokens = [at for at in ppl if at > max(0, policy.warmup_tokens)]
    if len(tokens) < FEWEST:
        return None
    law = LogLaw.fit(np.array(tokens, dtype=float), np.array([ppl[at] for at in tokens]))
    low, high = (float(end) for end in law.slope_interval(policy.confidence))
    at = np.geomspace(tokens[0], tokens[-1], POINTS)
    told = f"A = {float(law.slope):.3g} ({low:.3g} … {high:.3g}), R² {float(law.r_squared):.2f}"
    return go.Scatter(
        x=[axis(one) for one in at],
        y=law.at(at).tolist(),
        name=f"{title}: A ln N + B",
        mode="lines",
        line={"color": colour, "width": 1.5, "dash": "dot"},
        hovertemplate=f"%{{y:.4~f}}, {told}",
    )
