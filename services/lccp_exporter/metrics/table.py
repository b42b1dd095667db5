"""The table of all metrics of runs."""

from lccp_exporter.metrics.cells import cells
from lccp_exporter.metrics.cost import COST
from lccp_exporter.metrics.evaluation import EVALUATION
from lccp_exporter.metrics.insight import INSIGHT
from lccp_exporter.metrics.metric import RunMetric
from lccp_exporter.metrics.signals import SIGNALS
from lccp_exporter.metrics.training import TRAINING
from lccp_exporter.metrics.verdict import VERDICT

SERIES_MAX = 550
"""Maximum number of series of one run."""

RUN_METRICS: tuple[RunMetric, ...] = (
    *TRAINING,
    *COST,
    *INSIGHT,
    *EVALUATION,
    *SIGNALS,
    *VERDICT,
    *cells(),
)
