"""A process that reads passages for another one, and ends with it.

`python -m lccp_evaluator.spread.follower FD NUMBER`: it receives an `Opening`, then jobs, from the
connection FD, and answers each job with its readings.
"""

from multiprocessing.connection import Connection
from typing import Any

import torch

from lccp_evaluator.spread.process import begin, failed


def main() -> None:
    orders, device = begin()
    if torch.cuda.is_available():
        torch.cuda.set_device(device)
    serve(orders)


def serve(orders: "Connection[Any, Any]") -> None:
    """Execute orders until there are no more."""
    try:
        with orders.recv().engine() as engine:
            while True:
                job = orders.recv()
                orders.send(engine.read(job.passages, masked=job.masked))
    except EOFError:
        return
    except Exception as error:
        orders.send(failed(error))


if __name__ == "__main__":
    main()
