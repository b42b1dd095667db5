"""One table of manifests, given to the types here and to a real API server alike."""

import pytest
from apiserver import ApiServer
from manifests import BASE, Case, cases, changed

from lccp.api.crd import crd
from lccp.api.identity import identity_of
from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput

VALID, INVALID, UPDATES = cases("valid"), cases("invalid"), cases("updates")
RUNS = "/apis/lccp.io/v1alpha1/namespaces/default/lccpruns"
STRICT = "?fieldValidation=Strict"
DRY = f"{STRICT}&dryRun=All"


@pytest.fixture(scope="session")
def server(apiserver: ApiServer) -> ApiServer:
    apiserver.install_crd(crd())
    return apiserver


def test_the_table_is_not_short() -> None:
    assert len(VALID) >= 40
    assert len(INVALID) >= 80
    assert len(UPDATES) >= 40


@pytest.mark.parametrize("case", VALID, ids=str)
def test_the_types_take(case: Case) -> None:
    run = LCCPRun.parse(case.manifest, "run.yaml")
    assert LCCPRun.parse(run.document(), "again") == run


@pytest.mark.parametrize("case", INVALID, ids=str)
def test_the_types_refuse(case: Case) -> None:
    with pytest.raises(InvalidInput) as refusal:
        LCCPRun.parse(case.manifest, "run.yaml")
    sentence = str(refusal.value)
    assert sentence.startswith(f"run.yaml: {case.path}")
    assert (case.says or case.type) in sentence
    assert "\n" not in sentence


@pytest.mark.apiserver
@pytest.mark.parametrize("case", VALID, ids=str)
def test_the_api_server_takes(case: Case, server: ApiServer) -> None:
    answer = server.call("POST", RUNS + DRY, case.manifest)
    assert answer.code == 201, answer.message
    stored, own = LCCPRun.parse(answer.body, "server"), LCCPRun.parse(case.manifest, "run.yaml")
    assert stored.spec == own.spec
    assert identity_of(stored.spec) == identity_of(own.spec)


@pytest.mark.apiserver
@pytest.mark.parametrize("case", INVALID, ids=str)
def test_the_api_server_refuses(case: Case, server: ApiServer) -> None:
    answer = server.call("POST", RUNS + DRY, case.manifest)
    assert answer.code in (400, 422), answer
    assert case.path in answer.message
    assert (case.says or case.server) in answer.message
    assert "conversion error" not in answer.message


@pytest.mark.apiserver
@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_an_update(case: Case, server: ApiServer) -> None:
    created = server.call("POST", RUNS + STRICT, case.before)
    assert created.code == 201, created.message
    try:
        metadata = created.body["metadata"] | case.manifest["metadata"]
        update = case.manifest | {"metadata": metadata}
        answer = server.call("PUT", f"{RUNS}/base{DRY}", update)
    finally:
        server.call("DELETE", f"{RUNS}/base")
    assert answer.code == (422 if case.refused else 200), answer.message
    assert case.refused in answer.message


@pytest.mark.apiserver
def test_the_longest_lists_stay_within_the_cost_limit(server: ApiServer) -> None:
    tokens = [f"{n}M" for n in range(1_000, 1_256)]
    sources = [
        {"name": f"s{n}", "kind": kind, "path": "p", "minimumLength": "1K"}
        for n, kind in enumerate(["Short", "Long"] * 32)
    ]
    needle = {"stem": "s" * 1024, "key": "k" * 1024, "question": "q" * 1024}
    niah = {
        "lengths": [f"{n}K" for n in range(1, 33)],
        "depthsPercent": list(range(21)),
        "needles": [needle] * 64,
        "needlesPerHaystack": 64,
        "template": "{context}{question}" + "x" * 4_000,
    }
    manifest = changed(
        BASE,
        {
            "spec.checkpoints.atTokens": tokens,
            "spec.data.sources": sources,
            "spec.evaluation.probes.niah": niah,
            "spec.topology.env": [{"name": f"V{n}", "value": "v" * 1_000} for n in range(64)],
        },
    )
    created = server.call("POST", RUNS + STRICT, manifest)
    assert created.code == 201, created.message
    try:
        longer = changed(created.body, {"spec.saturation.action": "Stop"})
        answer = server.call("PUT", f"{RUNS}/base{DRY}", longer)
    finally:
        server.call("DELETE", f"{RUNS}/base")
    assert answer.code == 200, answer.message


@pytest.mark.apiserver
def test_one_checkpoint_too_many_is_refused(server: ApiServer) -> None:
    manifest = changed(BASE, {"spec.checkpoints.atTokens": list(range(1, 258))})
    answer = server.call("POST", RUNS + DRY, manifest)
    assert answer.code == 422
    assert "must have at most 256 items" in answer.message
