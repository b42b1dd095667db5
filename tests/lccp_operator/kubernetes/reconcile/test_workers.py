"""Threads that reconcile."""

import threading

import pytest
from prometheus_client import CollectorRegistry

from lccp_operator.kubernetes.metrics import Metrics
from lccp_operator.kubernetes.reconcile.queue import WorkQueue
from lccp_operator.kubernetes.reconcile.workers import Workers
from lccp_operator.kubernetes.workloads.seen import RunKey


@pytest.mark.slow
def test_a_stop_may_come_before_the_start() -> None:
    queue: WorkQueue[RunKey] = WorkQueue()
    metrics = Metrics(CollectorRegistry(), lambda: 0)
    workers = Workers(queue, None, threading.Event(), metrics)  # type: ignore[arg-type]
    workers.stop()
    workers.start()
    workers.stop()
