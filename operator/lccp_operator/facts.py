"""The facts of a run as the operator keeps them: compact, since it keeps those of many runs."""

from lccp.facts.facts import RunFacts
from lccp.facts.reader import Keep
from lccp_operator.compact import CompactReport
from lccp_operator.judgement import Judgement

Facts = RunFacts[CompactReport, Judgement]
KEEP = Keep(CompactReport.of, Judgement.of)
