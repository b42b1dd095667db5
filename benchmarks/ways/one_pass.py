"""The evaluator's own way: perplexity and head scores from one pass."""

from ways.cost import costing
from ways.task import Outcome, Task, frozen_samples


def one_pass(task: Task) -> Outcome:
    """The evaluator's engine, haystack by haystack."""
    from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
    from lccp_evaluator.model.execution import ExecutionPlan
    from lccp_evaluator.model.loading import load_model
    from lccp_evaluator.passes.engine import Engine
    from lccp_evaluator.probes import niah
    from lccp_evaluator.probes.heads import retrieval_heads
    from lccp_evaluator.records import Records

    frozen = frozen_samples(task)
    plan = ExecutionPlan.here()
    engine = Engine(load_model(task.model, plan).model, "Forked", plan.step_tokens)
    found = {}
    with costing() as cost:
        for numbers in frozen.cohorts():
            passages = [frozen.passage(frozen.samples[number]) for number in numbers]
            found |= zip(numbers, engine.read(passages), strict=True)
    readings = [found[number] for number in range(len(found))]
    records = Records(frozen, frozen.samples, readings)
    scores = retrieval_heads.sample_scores(records, RetrievalHeadsSettings()).mean(axis=0)
    nll = niah.Values.of(records).nll
    return Outcome(cost, nll.tolist(), scores.tolist())


def memory_at(task: Task) -> Outcome:
    """The one pass over the first sample alone."""
    from lccp_evaluator.model.execution import ExecutionPlan
    from lccp_evaluator.model.loading import load_model
    from lccp_evaluator.passes.engine import Engine

    frozen = frozen_samples(task)
    plan = ExecutionPlan.here()
    engine = Engine(load_model(task.model, plan).model, "Forked", plan.step_tokens)
    with costing() as cost:
        reading = engine.read([frozen.passage(frozen.samples[0])])[0]
    return Outcome(cost, [float(reading.nll.mean())], [])
