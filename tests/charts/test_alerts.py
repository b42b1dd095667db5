"""Every alert fires when it should, not otherwise, and resolves: by promtool's judgement."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm import CHART, Helm
from needs import program

pytestmark = pytest.mark.slow

ALERTS = CHART / "files" / "alerts.yaml"
INHIBITION = CHART / "files" / "inhibition.yaml"
ROOT = CHART.parents[1]
RUNBOOKS = ROOT / "docs" / "runbooks"
RUNBOOKS_MAX = 12
"""Of a folder."""
RUN = {"namespace": "a", "run": "r"}
POD_LABELS = ("pod", "instance", "container", "endpoint", "service", "job")
"""Of whoever exports a series: none of them may be left in an alert."""
SECTIONS = ["What it means", "How to see it", "What to do", "When to ignore it"]
RUBRICS = re.compile(r"^## (.*)$", re.MULTILINE)


def phase(name: str, values: str = "1x600") -> dict[str, str]:
    return {f'lccp_run_phase{{phase="{name}"}}': values}


def training(reason: str, values: str) -> dict[str, str]:
    return {f'lccp_run_condition{{type="Training",reason="{reason}"}}': values}


def accepted(reason: str, values: str) -> dict[str, str]:
    return {f'lccp_run_condition{{type="Accepted",reason="{reason}"}}': values}


def degraded(reason: str, values: str) -> dict[str, str]:
    return {f'lccp_run_condition{{type="Degraded",reason="{reason}"}}': values}


OPERATOR = '{namespace="lccp",run="",pod="one"}'


def of_store(namespace: str) -> str:
    """Labels of a series of the exporter there, about a store."""
    return f'{{namespace="{namespace}",run="",store="s"}}'


def leader(reconciles: str) -> dict[str, str]:
    return {
        f"lccp_leading{OPERATOR}": "1x100",
        f"lccp_last_reconcile_timestamp_seconds{OPERATOR}": reconciles,
    }


def summary(word: str, values: str) -> dict[str, str]:
    return {f'lccp_run_summary{{summary="{word}"}}': values}


def evaluating(reason: str, values: str) -> dict[str, str]:
    return {f'lccp_run_condition{{type="Evaluating",reason="{reason}"}}': values}


def verdict(state: str, values: str) -> dict[str, str]:
    return {f'lccp_verdict{{state="{state}"}}': values, "lccp_verdict_since_tokens": "5e9x90"}


@dataclass(frozen=True)
class Case:
    """What is scraped of run `a/r` each minute, and when the alert fires (minutes)."""

    alert: str
    series: Mapping[str, str]
    firing: tuple[int, ...]
    quiet: tuple[int, ...]
    labels: Mapping[str, str] = None  # type: ignore[assignment]

    @property
    def expected(self) -> Mapping[str, str]:
        return RUN if self.labels is None else self.labels


TRAINING = phase("Training")
CASES = {
    "the ceiling stands while the policy's signal improves": Case(
        "LCCPRunDeceptivelySaturated",
        {**verdict("DeceptivelySaturated", "0x9 1x20 0x30"), **TRAINING},
        firing=(20,),
        quiet=(9, 12, 40),
    ),
    "a ceiling of a run that ends, or is deleted": Case(
        "LCCPRunDeceptivelySaturated",
        {
            **verdict("DeceptivelySaturated", "1x60 _x30"),
            **phase("Finished", "0x20 1x20 0x20 _x30"),
        },
        firing=(15, 50),
        quiet=(30, 75),
    ),
    "a plateau": Case(
        "LCCPRunSaturated",
        {**verdict("Saturated", "0x9 1x20 0x30"), **TRAINING},
        firing=(20,),
        quiet=(9, 40),
    ),
    "a plateau of a finished run": Case(
        "LCCPRunSaturated",
        {
            **verdict("Saturated", "1x60"),
            'lccp_run_phase{phase="Finished"}': "0x20 1x40",
        },
        firing=(15,),
        quiet=(30, 50),
    ),
    "a signal gets worse": Case(
        "LCCPRunRegressing",
        {**verdict("Regressing", "0x9 1x20 0x30"), **TRAINING},
        firing=(20,),
        quiet=(9, 40),
    ),
    "the budget is too small": Case(
        "LCCPBudgetInsufficient",
        {
            'lccp_forecast_budget{budget="Insufficient"}': "0x9 1x20 0x30",
            "lccp_token_budget": "5x60",
            **TRAINING,
        },
        firing=(20,),
        quiet=(9, 40),
    ),
    "a gate that is passed": Case(
        "LCCPGateDecided",
        {
            'lccp_gate{answer="Yes"}': "0x9 1x20 0x30",
            'lccp_gate{answer="No"}': "1x9 0x20 1x30",
            **phase("Finished", "0x60"),
        },
        firing=(20,),
        quiet=(8, 12, 45),
        labels={**RUN, "answer": "Yes"},
    ),
    "a gate that a finished run does not pass": Case(
        "LCCPGateDecided",
        {'lccp_gate{answer="No"}': "1x60 _x20", **phase("Finished", "0x20 1x40 _x20")},
        firing=(40,),
        quiet=(15, 75),
        labels={**RUN, "answer": "No"},
    ),
    "heads move": Case(
        "LCCPRetrievalHeadShift",
        {
            'lccp_signal{signal="head_overlap"}': "0.9x9 0.5x20 0.9x30",
            'lccp_signal{signal="head_overlap_ceiling"}': "0.8x60",
            **TRAINING,
        },
        firing=(20,),
        quiet=(9, 40),
    ),
    "heads as noisy as their samples": Case(
        "LCCPRetrievalHeadShift",
        {
            'lccp_signal{signal="head_overlap"}': "0.5x60",
            'lccp_signal{signal="head_overlap_ceiling"}': "0.55x60",
            **TRAINING,
        },
        firing=(),
        quiet=(20, 50),
    ),
    "the middle falls behind": Case(
        "LCCPLostInTheMiddleWorsening",
        {
            'lccp_signal{signal="niah_lost_in_the_middle"}': "0.1x60",
            'lccp_signal_state{signal="niah_lost_in_the_middle",state="Regressing"}': (
                "0x9 1x20 0x30"
            ),
            **TRAINING,
        },
        firing=(20,),
        quiet=(9, 40),
        labels={**RUN, "signal": "niah_lost_in_the_middle"},
    ),
    "a middle that is better than the ends, and another signal that regresses": Case(
        "LCCPLostInTheMiddleWorsening",
        {
            'lccp_signal{signal="bio_lost_in_the_middle"}': "-0.1x60",
            'lccp_signal_state{signal="bio_lost_in_the_middle",state="Regressing"}': "1x60",
            'lccp_signal{signal="niah_lost_in_the_middle"}': "0.1x60",
            'lccp_signal_state{signal="niah_ppl_guard",state="Regressing"}': "1x60",
            **TRAINING,
        },
        firing=(),
        quiet=(20, 50),
    ),
    "a finished run whose middle fell behind": Case(
        "LCCPLostInTheMiddleWorsening",
        {
            'lccp_signal{signal="bio_lost_in_the_middle"}': "0.1x60",
            'lccp_signal_state{signal="bio_lost_in_the_middle",state="Regressing"}': "1x60",
            **phase("Finished"),
        },
        firing=(),
        quiet=(20, 50),
    ),
    "reports that can't be compared": Case(
        "LCCPReportsExcluded",
        {"lccp_reports_excluded": "0x9 2x40 0x30"},
        firing=(40,),
        quiet=(9, 20, 60),
    ),
    "a run that is not tried again, whose exporter restarts and which then goes on": Case(
        "LCCPRunFailed",
        {
            'lccp_run_failed{pod="one"}': "0x9 1x20 _x60",
            'lccp_run_failed{pod="two"}': "_x29 1x20 0x40",
        },
        firing=(12, 29, 31, 40),
        quiet=(9, 60),
    ),
    "a run that failed and was deleted": Case(
        "LCCPRunFailed",
        {"lccp_run_failed": "1x20 _x40"},
        firing=(10,),
        quiet=(40,),
    ),
    "a tracker that refuses the run": Case(
        "LCCPExportFailing",
        {'lccp_exporter_export_failed{tracker="MLflow"}': "0x9 1x60 0x30"},
        firing=(50,),
        quiet=(9, 30, 80),
        labels={**RUN, "tracker": "MLflow"},
    ),
    "a hang": Case(
        "LCCPTrainingStalled",
        {"lccp_trained_tokens": "0+100x30 3000x60 3000+100x60", **TRAINING},
        firing=(70, 90),
        quiet=(20, 45, 110),
    ),
    "a run that is suspended": Case(
        "LCCPTrainingStalled",
        {"lccp_trained_tokens": "3000x200", **phase("Suspended"), **phase("Training", "0x200")},
        firing=(),
        quiet=(30, 100),
    ),
    "a branch that hangs": Case(
        "LCCPTrainingStalled",
        {
            "lccp_trained_tokens": "3000x200",
            "lccp_branch_trained_tokens": "0+100x30 3000x60 3000+100x60",
            **phase("Annealing"),
        },
        firing=(70, 90),
        quiet=(20, 45, 110),
    ),
    "another trainer that leaves no checkpoint for hours": Case(
        "LCCPTrainingStalled",
        {"lccp_trained_tokens": "3000x200", **phase("Importing")},
        firing=(),
        quiet=(30, 100),
    ),
    "a run that is attached, which has no states": Case(
        "LCCPStateTooOld",
        {
            "lccp_unsaved_tokens": "9000000x200",
            "lccp_tokens_per_second": "1x200",
            **phase("Importing"),
        },
        firing=(),
        quiet=(30, 100),
    ),
    "a run that waits for the first checkpoint of another trainer": Case(
        "LCCPTrainingNotStarted",
        {"lccp_trained_tokens": "0x200", **phase("Importing"), **training("Running", "1x200")},
        firing=(),
        quiet=(30, 100),
    ),
    "a run that saves": Case(
        "LCCPTrainingStalled",
        {"lccp_trained_tokens": "3000x200", **phase("Saving"), **phase("Training", "0x200")},
        firing=(),
        quiet=(30, 100),
    ),
    "a run whose exporter restarts while it hangs": Case(
        "LCCPTrainingStalled",
        {
            'lccp_trained_tokens{pod="one"}': "3000x39 _x80",
            'lccp_trained_tokens{pod="two"}': "_x39 3000x80",
            'lccp_run_phase{phase="Training",pod="one"}': "1x39 _x80",
            'lccp_run_phase{phase="Training",pod="two"}': "_x39 1x80",
        },
        firing=(30, 41, 45, 60),
        quiet=(10,),
    ),
    "no node": Case(
        "LCCPTrainingNotStarted",
        {
            **training("Queued", "0x20"),
            **training("Unschedulable", "_x21 0x80"),
            **training("Running", "_x102 1x60"),
        },
        firing=(60, 100),
        quiet=(15, 25, 110),
    ),
    "a run that is nowhere but in the API server, whose operator restarts": Case(
        "LCCPTrainingNotStarted",
        training("MissingSecret", "0x20 _x3 0x60 _x30"),
        firing=(35, 80),
        quiet=(25, 100),
    ),
    "a model that does not load, told by no operator": Case(
        "LCCPTrainingNotStarted",
        {**phase("Queued", "1x15 0x100"), **phase("Starting", "0x15 1x60 0x60")},
        firing=(60,),
        quiet=(25, 110),
    ),
    "a run whose reasons take turns": Case(
        "LCCPTrainingNotStarted",
        {
            **training("QuotaExceeded", "0x15 _x6 " * 5 + "_x60"),
            **training("BackingOff", "_x15 0x6 " * 5 + "_x60"),
        },
        firing=(35, 80),
        quiet=(25, 140),
    ),
    "a run that was suspended before it began": Case(
        "LCCPTrainingNotStarted",
        {**phase("Queued", "1x100"), **training("SuspendedByUser", "0x100")},
        firing=(),
        quiet=(40, 90),
    ),
    "a deleted run that another program's finalizer keeps": Case(
        "LCCPTrainingNotStarted",
        {**phase("Queued", "1x100"), **training("Deleting", "0x100")},
        firing=(),
        quiet=(40, 90),
    ),
    "a deleted run that had trained, and is kept": Case(
        "LCCPTrainingInterrupted",
        {"lccp_trained_tokens": "9000x100", **training("Deleting", "0x100")},
        firing=(),
        quiet=(65, 90),
    ),
    "a run that is refused does not wait": Case(
        "LCCPTrainingNotStarted",
        {**training("Pending", "0x100"), **accepted("InvalidSpec", "0x100")},
        firing=(),
        quiet=(40, 90),
    ),
    "a run that is refused": Case(
        "LCCPRunRefused",
        {**accepted("InvalidSpec", "0x30"), **accepted("Valid", "_x30 1x60")},
        firing=(20,),
        quiet=(3, 50),
        labels={**RUN, "reason": "InvalidSpec"},
    ),
    "a run whose store holds nothing of it": Case(
        "LCCPRunDegraded",
        {
            **degraded("Healthy", "0x9 stale _x40 0x40"),
            **degraded("StoredRunMissing", "_x11 1x19 _x2 1x17 stale"),
        },
        firing=(30, 32, 48),
        quiet=(20, 55),
        labels={**RUN, "reason": "StoredRunMissing"},
    ),
    "a run of which an evaluation failed": Case(
        "LCCPRunDegraded",
        degraded("EvaluationFailed", "1x60"),
        firing=(),
        quiet=(30, 50),
    ),
    "a policy that refuses what is done for a run, even once it is finished": Case(
        "LCCPRunDegraded",
        {
            **degraded("ActionRefused", "1x60 _x40"),
            **degraded("Healthy", "_x61 0x40"),
            'lccp_run_condition{type="Succeeded",reason="NotFinished"}': "0x30 _x70",
            'lccp_run_condition{type="Succeeded",reason="Completed"}': "_x31 1x70",
        },
        firing=(20, 50),
        quiet=(10, 80),
        labels={**RUN, "reason": "ActionRefused"},
    ),
    "a run that had begun, and whose spec can't be read": Case(
        "LCCPRunDegraded",
        {**degraded("InvalidSpec", "1x40"), **degraded("Healthy", "_x41 0x30")},
        firing=(20, 40),
        quiet=(10, 60),
        labels={**RUN, "reason": "InvalidSpec"},
    ),
    "a run that ends while something of it can't be read": Case(
        "LCCPRunDegraded",
        {
            **degraded("ObservationIncomplete", "1x100"),
            'lccp_run_condition{type="Succeeded",reason="NotFinished"}': "0x30 _x70",
            'lccp_run_condition{type="Succeeded",reason="Completed"}': "_x31 1x70",
        },
        firing=(20,),
        quiet=(10, 40, 90),
        labels={**RUN, "reason": "ObservationIncomplete"},
    ),
    "a run whose installation is gone": Case(
        "LCCPRunLeftAlone",
        {
            'lccp_run_left_alone{installation="lccp/one@1"}': "1x120 _x30",
            'lccp_run_summary{summary="Training"}': "1x9 _x80 1x60",
        },
        firing=(50, 80),
        quiet=(9, 40, 100, 140),
        labels={**RUN, "installation": "lccp/one@1"},
    ),
    "a run of an installation that is there": Case(
        "LCCPRunLeftAlone",
        {
            'lccp_run_left_alone{installation="lccp/one@1"}': "1x120",
            'lccp_run_summary{summary="Training"}': "1x120",
        },
        firing=(),
        quiet=(35, 100),
        labels={**RUN, "installation": "lccp/one@1"},
    ),
    "a run that is left alone, and adopted": Case(
        "LCCPRunLeftAlone",
        {
            'lccp_run_left_alone{installation="lccp/one@1"}': "1x60 _x60",
            'lccp_run_summary{summary="Training"}': "_x61 1x60",
        },
        firing=(35, 60),
        quiet=(20, 70),
        labels={**RUN, "installation": "lccp/one@1"},
    ),
    "a deletion that does not end": Case(
        "LCCPDeletionStuck",
        {"lccp_run_deletion_timestamp_seconds": "_x10 600x100 _x30"},
        firing=(100,),
        quiet=(9, 60, 130),
    ),
    "a run that waits to go on": Case(
        "LCCPTrainingInterrupted",
        {
            "lccp_trained_tokens": "500x200",
            **training("Queued", "0x100"),
            **training("Running", "_x100 1x60"),
        },
        firing=(90,),
        quiet=(50, 120),
    ),
    "a new run has not gone on": Case(
        "LCCPTrainingInterrupted",
        {"lccp_trained_tokens": "0x200", **phase("Queued", "1x200")},
        firing=(),
        quiet=(50, 150),
    ),
    "an attempt ended by a loss that is not finite": Case(
        "LCCPLossNotFinite",
        {
            'lccp_training_attempts_ended_total{cause="NotFinite"}': "0x9 1x60",
            **phase("Finished", "0x40 1x60"),
        },
        firing=(20,),
        quiet=(9, 50),
    ),
    "a loss of NaN": Case(
        "LCCPLossNotFinite",
        {"lccp_training_loss": "2x9 " + 10 * "NaN " + "2x20", **TRAINING},
        firing=(15,),
        quiet=(9, 30),
    ),
    "a loss that stays high": Case(
        "LCCPLossSpike",
        {"lccp_training_loss": "2x60 3x25 2x60", **TRAINING},
        firing=(80,),
        quiet=(50, 65, 100),
    ),
    "a node that is slow": Case(
        "LCCPTrainingSlow",
        {"lccp_tokens_per_second": "1000x100 600x60 1000x60", **TRAINING},
        firing=(140,),
        quiet=(90, 110, 180),
    ),
    "attempts that fail": Case(
        "LCCPTrainingRestarts",
        {
            'lccp_training_attempts_ended_total{cause="Internal"}': "0x4 1x4 2x120",
            'lccp_training_attempts_ended_total{cause="OutOfMemory"}': "0x4 1x4 2x120",
        },
        firing=(50,),
        quiet=(4, 100),
    ),
    "attempts that a queue ends": Case(
        "LCCPTrainingRestarts",
        {'lccp_training_attempts_ended_total{cause="Disrupted"}': "0+1x100"},
        firing=(),
        quiet=(50, 90),
    ),
    "a save that does not end": Case(
        "LCCPSaveStalls",
        {"lccp_trained_tokens": "5x100", **phase("Saving", "0x9 1x60 0x30")},
        firing=(50,),
        quiet=(9, 30, 80),
    ),
    "checkpoints that do not complete": Case(
        "LCCPCheckpointLate",
        {
            "lccp_trained_tokens": "0+100x200",
            "lccp_latest_checkpoint_tokens": "1000x100 15000x100",
            "lccp_complete_checkpoints": "3x100 15x100",
            **TRAINING,
        },
        firing=(60,),
        quiet=(10, 30, 120),
    ),
    "a state of long ago": Case(
        "LCCPStateTooOld",
        {
            "lccp_unsaved_tokens": "100x9 900000x40 100x40",
            "lccp_tokens_per_second": "100x200",
            **TRAINING,
        },
        firing=(40,),
        quiet=(9, 20, 60),
    ),
    "an hour and more that mostly did not count": Case(
        "LCCPGoodputLow",
        {
            'lccp_wall_time_seconds{activity="productive"}': "7000x200 20000x60",
            'lccp_wall_time_seconds{activity="lost"}': "6000x30 9000x230",
            'lccp_wall_time_seconds{activity="queued"}': "90000x260",
            **TRAINING,
        },
        firing=(120,),
        quiet=(29, 60, 230),
    ),
    "a start that is slow": Case(
        "LCCPGoodputLow",
        {
            'lccp_wall_time_seconds{activity="productive"}': "10x200",
            'lccp_wall_time_seconds{activity="starting"}': "3600x200",
            **TRAINING,
        },
        firing=(),
        quiet=(100, 190),
    ),
    "one expert takes most of a layer": Case(
        "LCCPRouterCollapsed",
        {
            'lccp_router_busiest_share{band="first half"}': "0.2x100",
            'lccp_router_busiest_share{band="second half"}': "0.2x9 0.6x50 0.3x40",
            "lccp_router_even_share": "0.0625x100",
            **TRAINING,
        },
        firing=(50,),
        quiet=(9, 30, 80),
    ),
    "an expert that is busy where a token passes half of them": Case(
        "LCCPRouterCollapsed",
        {
            'lccp_router_busiest_share{band="second half"}': "0.7x59 0.8x50",
            "lccp_router_even_share": "0.5x110",
            **TRAINING,
        },
        firing=(100,),
        quiet=(50,),
    ),
    "an evaluation that is not tried again": Case(
        "LCCPEvaluationFailing",
        {'lccp_checkpoint_evaluations{result="Failed"}': "0x9 1x20 0x30", **TRAINING},
        firing=(20,),
        quiet=(9, 40),
    ),
    "evaluators of a trained run whose image can't be pulled": Case(
        "LCCPEvaluationNotStarted",
        {
            **evaluating("Starting", "0x9"),
            **evaluating("ImageUnavailable", "_x10 0x90"),
            **evaluating("Running", "_x101 1x40"),
            "lccp_checkpoint_evaluations_pending": "2x140",
            **phase("Evaluating", "1x140"),
        },
        firing=(70, 100),
        quiet=(50, 110),
    ),
    "no evaluation is due, or they take turns with waits": Case(
        "LCCPEvaluationNotStarted",
        {
            **evaluating("Pending", "0x80"),
            **evaluating("Running", "_x81 1x40"),
            **evaluating("BackingOff", "_x122 0x20"),
            **evaluating("UpToDate", "_x143 0x90"),
        },
        firing=(),
        quiet=(70, 110, 140, 220),
    ),
    "a new run of which nobody knows whether it has checkpoints": Case(
        "LCCPEvaluationNotStarted",
        {**evaluating("ActionRefused", "-1x100"), **degraded("ActionRefused", "1x100")},
        firing=(),
        quiet=(70, 90),
    ),
    "evaluators of a run that is being deleted": Case(
        "LCCPEvaluationNotStarted",
        {
            **evaluating("Unschedulable", "0x100"),
            "lccp_run_deletion_timestamp_seconds": "600x100",
        },
        firing=(),
        quiet=(65, 90),
    ),
    "evaluations that lag": Case(
        "LCCPEvaluationsBehind",
        {"lccp_checkpoint_evaluations_pending": "2x9 4x80 0x30", **TRAINING},
        firing=(80,),
        quiet=(9, 60, 100),
    ),
    "damaged objects": Case(
        "LCCPStoreObjectsUnreadable",
        {"lccp_unreadable_objects": "0x9 2x30 0x30"},
        firing=(30,),
        quiet=(9, 20, 50),
    ),
    "a store that is away": Case(
        "LCCPStoreUnreachable",
        {
            'lccp_exporter_store_refresh_timestamp_seconds{namespace="",run="",store="default"}': (
                "0+60x9 540x20 1800+60x30"
            )
        },
        firing=(25,),
        quiet=(9, 17, 40),
        labels={"store": "default"},
    ),
    "a store that an exporter never reads, since it is killed each time": Case(
        "LCCPStoreUnreachable",
        {
            f"lccp_exporter_store_refresh_timestamp_seconds{of_store('east')}": (
                "0+60x9 600 _x4 900 _x4 1200 _x4 1500 _x4 1800 _x4 2100 _x4 2400+60x30"
            ),
            f"lccp_exporter_store_runs{of_store('east')}": (
                "1x9 0 _x4 0 _x4 0 _x4 0 _x4 0 _x4 0 _x4 1x30"
            ),
            f"lccp_exporter_store_refresh_duration_seconds{of_store('east')}": "1x9 _x30 1x30",
        },
        firing=(35,),
        quiet=(9, 25, 50),
        labels={"namespace": "east", "store": "s"},
    ),
    "a store that an installation no longer has, and a new one": Case(
        "LCCPStoreUnreachable",
        {
            f"lccp_exporter_store_{name}{of_store(one)}": values[one]
            for name, values in {
                "refresh_timestamp_seconds": {
                    "east": "0+60x9 _x60",
                    "west": "_x20 1200x8 1680+60x40",
                },
                "runs": {"east": "1x9 _x60", "west": "_x20 0x50"},
                "refresh_duration_seconds": {"east": "1x9 _x60", "west": "_x28 1x40"},
            }.items()
            for one in ("east", "west")
        },
        firing=(),
        quiet=tuple(range(10, 60, 3)),
        labels={},
    ),
    "an exporter that is away": Case(
        "LCCPExporterDown",
        {'lccp_exporter_store_runs{namespace="",run="",store="default"}': "1x9 _x30 1x30"},
        firing=(25,),
        quiet=(9, 16, 50),
        labels={},
    ),
    "a store that one installation can't read, and another's of the same name": Case(
        "LCCPStoreUnreachable",
        {
            f"lccp_exporter_store_refresh_timestamp_seconds{of_store(one)}": values
            for one, values in {"east": "0+60x9 540x20 1800+60x30", "west": "0+60x60"}.items()
        },
        firing=(25,),
        quiet=(9, 17, 40),
        labels={"namespace": "east", "store": "s"},
    ),
    "an exporter that is away, beside another": Case(
        "LCCPExporterDown",
        {
            f"lccp_exporter_store_runs{of_store(one)}": values
            for one, values in {"east": "1x9 _x30 1x30", "west": "1x70"}.items()
        },
        firing=(25,),
        quiet=(9, 12, 50),
        labels={"namespace": "east"},
    ),
    "an installation without a leader, beside another": Case(
        "LCCPOperatorDown",
        {
            'lccp_leading{namespace="east",run="",pod="one"}': "1x9 0x10 _x20 1x30",
            'lccp_leading{namespace="west",run="",pod="two"}': "1x70",
        },
        firing=(12, 35),
        quiet=(9, 10, 50),
        labels={"namespace": "east"},
    ),
    "a namespace that the operator may no longer read": Case(
        "LCCPNamespaceRefused",
        {
            f'lccp_namespace_refused{{namespace="lccp",pod="{pod}",watched_namespace="{name}"}}': on
            for pod in ("one", "two")
            for name, on in {"team-a": "0x70", "team-b": "0x9 1x30 0x30"}.items()
        },
        firing=(12, 35),
        quiet=(9, 45),
        labels={"namespace": "lccp", "watched_namespace": "team-b"},
    ),
    "no leader": Case(
        "LCCPOperatorDown",
        {
            'lccp_leading{namespace="lccp",run="",pod="one"}': "1x9 0x30 1x30",
            'lccp_leading{namespace="lccp",run="",pod="two"}': "0x70",
        },
        firing=(12, 25),
        quiet=(9, 10, 50),
        labels={},
    ),
    "a leader that does nothing": Case(
        "LCCPOperatorNotReconciling",
        leader("0+60x9 540x40 3000+60x30") | summary("Training", "1x100"),
        firing=(40,),
        quiet=(9, 20, 60),
        labels={"namespace": "lccp"},
    ),
    "a leader whose first reconcile does not end": Case(
        "LCCPOperatorNotReconciling",
        leader("0x30 1800+60x30") | {f"lccp_queue_depth{OPERATOR}": "3x30 0x30"},
        firing=(25,),
        quiet=(10, 40),
        labels={"namespace": "lccp"},
    ),
    "a leader whose runs are all suspended": Case(
        "LCCPOperatorNotReconciling",
        leader("0x100") | summary("Suspended", "1x100") | {f"lccp_queue_depth{OPERATOR}": "0x100"},
        firing=(),
        quiet=(40, 90),
    ),
    "a leader without runs, beside those of another installation or of a laptop": Case(
        "LCCPOperatorNotReconciling",
        leader("0x100")
        | TRAINING
        | {
            'lccp_leading{namespace="west",run="",pod="two"}': "1x100",
            'lccp_last_reconcile_timestamp_seconds{namespace="west",run="",pod="two"}': "0+60x100",
            'lccp_run_summary{summary="Training",pod="two"}': "1x100",
        },
        firing=(),
        quiet=(40, 90),
    ),
    "reconciles that fail": Case(
        "LCCPReconcileErrors",
        {'lccp_reconcile_errors_total{namespace="lccp",run="",pod="one"}': "0+1x60 60x60"},
        firing=(50,),
        quiet=(10, 90),
        labels={"namespace": "lccp"},
    ),
}


@cache
def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in groups() for rule in group["rules"]]


def runbooks() -> dict[str, str]:
    """The runbook of each alert, in the folder of its group: path below the repository's root."""
    return {
        rule["alert"]: f"docs/runbooks/{group['name'].removeprefix('lccp-')}"
        f"/{rule['alert'].lower()}.md"
        for group in groups()
        for rule in group["rules"]
    }


def names(matchers: list[str]) -> str:
    """The names of alerts that they match, as a pattern."""
    (matcher,) = [one for one in matchers if one.startswith("alertname=")]
    return re.split("=~?", matcher)[1].strip('"')


def with_labels(series: str, labels: Mapping[str, str]) -> str:
    """The series with `labels`, unless it names them itself; an empty one is none."""
    name, _, own = series.rstrip("}").partition("{")
    found = dict(re.findall(r'(\w+)="([^"]*)"', own))
    every = {**dict.fromkeys(POD_LABELS, "one"), **labels, **found}
    return f"{name}{{{','.join(f'{k}={v!r}' for k, v in every.items() if v)}}}"


def promtool(*arguments: str) -> None:
    done = _promtool(*arguments)
    assert done.returncode == 0, done.stdout


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("promtool", "comes with Prometheus"), *arguments]
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def expectation(case: Case, minute: int, fires: bool) -> dict[str, Any]:
    """What is to be seen of the alert at `minute`, without its severity."""
    labels = ",".join(f'{k}="{v}"' for k, v in {"alertname": case.alert, **case.expected}.items())
    firing = f'ALERTS{{alertstate="firing",alertname="{case.alert}"}}'
    expected = [{"labels": f"{{{labels}}}", "value": 1}] if fires else []
    expression = f"sum without (severity, alertstate) ({firing})"
    return {"expr": expression, "eval_time": f"{minute}m", "exp_samples": expected}


def without_error(rule: dict[str, Any], minutes: int) -> dict[str, Any]:
    """The rule's expression has a value, or none, at each of so many minutes."""
    each = f"count_over_time(({rule['expr']})[{minutes + 1}m:1m])"
    nothing = f"{each} unless on () vector(1)"
    return {"expr": nothing, "eval_time": f"{minutes}m", "exp_samples": []}


def written(
    folder: Path, series: Mapping[str, str], test: dict[str, Any], rule_file: Path = ALERTS
) -> Path:
    """A file for promtool that tests rules, by default all that the chart ships."""
    inputs = [{"series": with_labels(s, RUN), "values": values} for s, values in series.items()]
    tests = [{"interval": "1m", "input_series": inputs, **test}]
    document = {"rule_files": [str(rule_file)], "evaluation_interval": "1m", "tests": tests}
    (folder / "test.yaml").write_text(json.dumps(document))
    return folder / "test.yaml"


def alone(folder: Path, alert: str) -> Path:
    """A file of one rule: all of them at each minute of all cases would take ten times as long."""
    own = [{"name": alert, "rules": [rule for rule in rules() if rule["alert"] == alert]}]
    (folder / "rules.yaml").write_text(json.dumps({"groups": own}))
    return folder / "rules.yaml"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What promtool says of each case."""
    folder, files = tmp_path_factory.mktemp("cases"), {}
    for number, (name, case) in enumerate(CASES.items()):
        last = max((*case.firing, *case.quiet))
        expected = [expectation(case, minute, True) for minute in case.firing]
        expected += [expectation(case, minute, False) for minute in case.quiet]
        expected += [without_error(rule, last) for rule in rules() if rule["alert"] != case.alert]
        test = {"promql_expr_test": expected}
        own = folder / str(number)
        own.mkdir()
        files[name] = written(own, case.series, test, alone(own, case.alert))
    done = _promtool("test", "rules", *map(str, files.values()))
    said = re.split(r"^Unit Testing:  (.*)\n", done.stdout, flags=re.MULTILINE)
    of_file = dict(zip(said[1::2], said[2::2], strict=True))
    return {name: of_file.get(str(file), said[0]) for name, file in files.items()}


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should_and_not_otherwise(name: str, judged: dict[str, str]) -> None:
    """Nor do the series of its case make the expression of another alert fail."""
    assert judged[name].strip() == "SUCCESS", judged[name]


def test_no_alert_on_a_run_is_left_once_that_is_deleted(tmp_path: Path) -> None:
    """Though rules look back for five minutes, over which they see its last series."""
    files = []
    for number, case in enumerate(CASES.values()):
        if "run" not in case.expected:
            continue
        series = {**case.series, "lccp_run_deleted": "1x700"}
        expected = [expectation(case, minute, False) for minute in case.firing]
        own = tmp_path / str(number)
        own.mkdir()
        test = {"promql_expr_test": expected}
        files.append(written(own, series, test, alone(own, case.alert)))
    promtool("test", "rules", *map(str, files))


@pytest.mark.parametrize(
    ("alert", "series", "told"),
    [
        (
            "LCCPTrainingNotStarted",
            training("QuotaExceeded", "0x70"),
            "a/r has not started to train for half an hour: QuotaExceeded.",
        ),
        (
            "LCCPTrainingNotStarted",
            phase("Queued"),
            "a/r has not started to train for half an hour: Unknown.",
        ),
        (
            "LCCPEvaluationNotStarted",
            evaluating("MissingSecret", "0x70"),
            "No evaluation of a/r has started for an hour: MissingSecret.",
        ),
    ],
    ids=["by the operator", "without it", "of an evaluation"],
)
def test_why_nothing_has_started_is_told_as_it_is_now(
    alert: str, series: Mapping[str, str], told: str, tmp_path: Path
) -> None:
    (rule,) = [rule for rule in rules() if rule["alert"] == alert]
    fires = {
        "exp_labels": {**RUN, "severity": "warning"},
        "exp_annotations": {**rule["annotations"], "summary": told},
    }
    one = {"eval_time": "65m", "alertname": alert, "exp_alerts": [fires]}
    test = written(tmp_path, series, {"alert_rule_test": [one]})
    promtool("test", "rules", str(test))


def test_a_shift_of_heads_is_told_by_how_much_less_they_have_in_common(tmp_path: Path) -> None:
    values = {"head_overlap": 0.4, "head_overlap_ceiling": 0.8}
    series = {f'lccp_signal{{signal="{name}"}}': f"{value}x20" for name, value in values.items()}
    (rule,) = [rule for rule in rules() if rule["alert"] == "LCCPRetrievalHeadShift"]
    shift = {
        "expr": rule["expr"],
        "eval_time": "10m",
        "exp_samples": [{"labels": '{namespace="a", run="r"}', "value": 0.4}],
    }
    test = written(tmp_path, series, {"promql_expr_test": [shift]})
    promtool("test", "rules", str(test))


def test_a_store_that_is_away_keeps_no_critical_alert_on_runs_of_others_silent() -> None:
    inhibition = yaml.safe_load(INHIBITION.read_text(encoding="utf-8"))
    pattern = "|".join(
        names(rule["target_matchers"])
        for rule in inhibition["inhibit_rules"]
        if names(rule["source_matchers"]) == "LCCPStoreUnreachable"
    )
    silenced = {r["labels"]["severity"] for r in rules() if re.fullmatch(pattern, r["alert"])}
    assert silenced == {"warning"}


def test_every_alert_is_seen_to_fire_and_to_resolve() -> None:
    names = [rule["alert"] for rule in rules()]
    ends = {c.alert for c in CASES.values() if c.firing and max(c.quiet) > max(c.firing)}
    assert [name for name in names if name not in ends] == []


def test_promtool_takes_the_rules() -> None:
    promtool("check", "rules", str(ALERTS))


@pytest.mark.parametrize("end", ["/", ""], ids=["with a slash at its end", "without"])
def test_the_prometheusrule_holds_the_same_rules(
    helm: Helm, value_set: dict[str, Path], tmp_path: Path, end: str
) -> None:
    url = f"metrics.rules.runbookUrl=https://runbooks.example/lccp{end}"
    objects = helm.render(value_set["everything"], "lccp", "--set", url)
    [shipped] = [o for o in objects if o["kind"] == "PrometheusRule"]
    assert shipped["spec"] == yaml.safe_load(
        ALERTS.read_text(encoding="utf-8").replace(
            "docs/runbooks/", "https://runbooks.example/lccp/"
        )
    )
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(shipped["spec"]))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert rule["for"]
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert notes["runbook_url"] == runbooks()[rule["alert"]]


@pytest.mark.parametrize(
    "alert", ["LCCPRunDeceptivelySaturated", "LCCPRunSaturated", "LCCPRunRegressing"]
)
def test_an_alert_on_a_verdict_names_the_checkpoint_since_which_it_stands(
    alert: str, tmp_path: Path
) -> None:
    (rule,) = [rule for rule in rules() if rule["alert"] == alert]
    series = verdict(alert.removeprefix("LCCPRun"), "1x30")
    shown = {
        "summary": rule["annotations"]["summary"]
        .replace("{{ $labels.namespace }}", RUN["namespace"])
        .replace("{{ $labels.run }}", RUN["run"]),
        "description": rule["annotations"]["description"].replace("{{ $value | humanize }}", "5G"),
        "runbook_url": rule["annotations"]["runbook_url"],
    }
    assert "5G tokens" in shown["description"]
    told = {"exp_labels": {**RUN, **rule["labels"]}, "exp_annotations": shown}
    one = {"eval_time": "20m", "alertname": alert, "exp_alerts": [told]}
    test = written(tmp_path, series, {"alert_rule_test": [one]})
    promtool("test", "rules", str(test))


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    pages = {page.relative_to(ROOT).as_posix(): page for page in RUNBOOKS.rglob("*.md")}
    assert sorted(pages) == sorted(runbooks().values())
    for alert, path in runbooks().items():
        text = pages[path].read_text(encoding="utf-8")
        assert text.startswith(f"# {alert}\n")
        assert RUBRICS.findall(text) == SECTIONS


def test_a_folder_of_runbooks_can_be_surveyed() -> None:
    counts = Counter(page.parent.name for page in RUNBOOKS.rglob("*.md"))
    assert {folder for folder, count in counts.items() if count > RUNBOOKS_MAX} == set()


def test_inhibition_names_alerts_that_exist(tmp_path: Path) -> None:
    known = [rule["alert"] for rule in rules()]
    inhibition = yaml.safe_load(INHIBITION.read_text(encoding="utf-8"))
    for rule in inhibition["inhibit_rules"]:
        for matchers in (rule["source_matchers"], rule["target_matchers"]):
            for part in names(matchers).split("|"):
                assert any(re.fullmatch(part, name) for name in known), part
    config = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}], **inhibition}
    (tmp_path / "alertmanager.yaml").write_text(yaml.safe_dump(config))
    amtool = program("amtool", "comes with prometheus-alertmanager")
    done = subprocess.run(
        [amtool, "check-config", str(tmp_path / "alertmanager.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
