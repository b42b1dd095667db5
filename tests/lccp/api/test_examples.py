"""Every manifest under examples/ is valid, for the types and for an API server, and explained."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import ApiServer

from lccp.api.crd import crd
from lccp.api.run import LCCPRun
from lccp.cost.compatibility import refusals
from lccp.cost.estimate import Estimate
from lccp.cost.memory import TrainingSettings
from lccp.cost.planning.advice import TrainingPlan
from lccp.cost.planning.devices import DeviceCluster, device_of
from lccp.model_config import read_model_config

FOLDER = Path(__file__).parents[3] / "examples"
IN_THE_IMAGE = "/opt/lccp/examples/tiny/"
EXAMPLES = [*sorted(FOLDER.glob("*/run.yaml")), FOLDER / "tiny" / "cluster.yaml"]
RUNS = "/apis/lccp.io/v1alpha1/namespaces/default/lccpruns"
ATTACHED = FOLDER / "attached" / "run.yaml"
TRAINED = [path for path in EXAMPLES if path != ATTACHED]
each_trained = pytest.mark.parametrize(
    "path", TRAINED, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
each = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def document(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_examples_are_there() -> None:
    names = {path.parent.name for path in EXAMPLES}
    assert {"tiny", "attached", "hunyuan-a13b-64k", "qwen3-moe-one-node"} <= names


@each
def test_an_example_parses(path: Path) -> None:
    run = LCCPRun.parse(document(path), str(path))
    assert LCCPRun.parse(run.document(), "again") == run


def test_an_example_asks_for_branches() -> None:
    runs = (LCCPRun.parse(document(path), str(path)) for path in TRAINED)
    assert any(run.spec.branch_points for run in runs)


def test_the_demo_on_a_cluster_is_the_demo_with_what_the_images_hold() -> None:
    here, there = (document(FOLDER / "tiny" / name) for name in ("run.yaml", "cluster.yaml"))
    assert there["spec"]["checkpoints"].pop("secretRef") == {"name": "s3-credentials"}
    here["spec"]["model"]["source"] = f"{IN_THE_IMAGE}model"
    probes = here["spec"]["evaluation"]["probes"]
    texts = (probes["niah"]["haystack"], *probes["corpusPpl"]["corpora"])
    for part in (*here["spec"]["data"]["sources"], *texts):
        part["path"] = IN_THE_IMAGE + part["path"]
    assert there == here


def test_examples_name_the_secret_that_the_docs_create() -> None:
    page = (FOLDER.parent / "docs" / "how-to" / "install.md").read_text()
    named = {
        document(path)["spec"].get("checkpoints", {}).get("secretRef", {}).get("name")
        for path in EXAMPLES
    }
    assert named == {None, "s3-credentials"}  # none on a laptop
    assert "kubectl create secret generic s3-credentials" in page


@each
def test_an_example_has_enough_checkpoints_for_a_verdict(path: Path) -> None:
    run = LCCPRun.parse(document(path), str(path))
    due = run.spec.checkpoints.due(run.spec.budget_tokens)
    horizon = run.horizon_tokens
    assert run.spec.budget_tokens >= 2 * run.spec.saturation.patience * horizon
    assert sum(tokens <= horizon for tokens in due) >= 3


@each_trained
def test_an_example_measures_beyond_the_source_context(path: Path) -> None:
    run = LCCPRun.parse(document(path), str(path))
    folder = next(
        path.parent / name for name in ("model", "architecture") if (path.parent / name).is_dir()
    )
    source = read_model_config(folder)["max_position_embeddings"]
    lengths = run.spec.evaluation.probes.niah.lengths
    assert any(length <= source for length in lengths), "no guard band"
    assert any(length > source for length in lengths), "no extension band"


@each_trained
def test_the_cost_of_an_example_can_be_estimated(path: Path) -> None:
    run = LCCPRun.parse(document(path), str(path))
    folder = next(
        path.parent / name for name in ("model", "architecture") if (path.parent / name).is_dir()
    )
    assert refusals(run.spec, read_model_config(folder)) == []
    costs = Estimate.of(read_model_config(folder), TrainingSettings.of(run))
    assert costs.training_flops > 6 * costs.active_parameters * run.spec.training.tokens


@pytest.mark.slow
@each_trained
def test_an_example_fits_the_devices_that_its_page_names(path: Path) -> None:
    run = LCCPRun.parse(document(path), str(path))
    folder = next(
        path.parent / name for name in ("model", "architecture") if (path.parent / name).is_dir()
    )
    cluster = DeviceCluster(device_of("h100-80g"), run.spec.topology.processes_per_node)
    plan = TrainingPlan.of(run, read_model_config(folder), cluster)
    assert plan.obstacles == ()
    assert plan.asked in plan.layouts


@pytest.mark.apiserver
@each
def test_an_api_server_takes_an_example(path: Path, apiserver: ApiServer) -> None:
    apiserver.install_crd(crd())
    answer = apiserver.call("POST", f"{RUNS}?fieldValidation=Strict&dryRun=All", document(path))
    assert answer.code == 201, answer.message
