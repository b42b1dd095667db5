"""A process that measures one checkpoint of a series, and ends with the process that started it.

`python -m lccp_evaluator.jobs.child FD NUMBER`: it receives a `MeasuringOrder` from the
connection FD, and answers with cost and progress, and in the end with the report, the failure, or
why there is none.
"""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.spread.process import begin, failed


@dataclass(frozen=True)
class MeasuringOrder:
    """What to measure, how, and into which folder."""

    checkpoint: CheckpointDirectory
    settings: SeriesSettings
    out: Path


def main() -> None:
    orders, _ = begin()
    serve(orders)


def serve(orders: "Connection[Any, Any]") -> None:
    """Carry out the order that comes, and answer."""
    order: MeasuringOrder = orders.recv()
    try:
        series = EvaluationSeries(order.out, order.settings)
        orders.send(series.evaluate(order.checkpoint, orders.send, orders.send))
    except Exception as error:
        orders.send(failed(error))


if __name__ == "__main__":
    main()
