"""A process's orders, in its environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.spec.evaluation import ExternalSuite
from lccp.api.spec.workload import WorkloadSpec
from lccp.contract.errors import InvalidInput

STORE = StoreConfig(url="s3://b/p", endpoint="http://h:1", path_style=False)
PLAIN = Invocation(namespace="team", name="tiny", store=STORE)
ENVIRON = PLAIN.to_environ()
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


BRANCHES = st.none() | st.integers(1, 10**15)


@pytest.mark.slow
@given(
    NAMES, NAMES, st.integers(1, 99), st.none() | st.integers(0, 10**15), st.booleans(), BRANCHES
)
def test_what_is_written_is_what_is_read(
    namespace: str, name: str, attempt: int, tokens: int | None, sft: bool, branch: int | None
) -> None:
    sft = sft and tokens is not None
    invocation = Invocation(
        namespace=namespace,
        name=name,
        store=STORE,
        attempt=attempt,
        tokens=tokens,
        objective="SFT" if sft else "Pretrain",
        branch=None if sft else branch,
        processes=attempt,
        pod_uid="0123",
        base_directory="/b",
    )
    assert Invocation.from_environ(invocation.to_environ()) == invocation
    assert invocation.run == f"{namespace}/{name}"


def test_an_evaluation_is_told_its_checkpoint_and_suite_and_a_training_neither() -> None:
    told = Invocation(namespace="n", name="r", store=STORE, tokens=0, suite="lm-eval").to_environ()

    assert (told["LCCP_TOKENS"], told["LCCP_SUITE"]) == ("0", "lm-eval")
    assert not {"LCCP_TOKENS", "LCCP_SUITE", "LCCP_OBJECTIVE"} & set(ENVIRON)
    assert "LCCP_BRANCH" not in ENVIRON


def test_an_external_suite_is_told_what_it_runs_and_promises_but_nothing_of_its_pods() -> None:
    document = {"name": "mine", "command": ["./mine", "-v"], "signals": ["acc"]}
    suite = ExternalSuite.parse(document, "suite")
    pods = suite.model_copy(update={"workload": WorkloadSpec(queue_name="research")})
    given = PLAIN.model_copy(update={"tokens": 5, "suite": "mine", "external": pods})

    found = Invocation.from_environ(given.to_environ())

    assert found.external == suite
    assert "LCCP_EXTERNAL_SUITE" not in ENVIRON


def test_other_variables_are_no_fault_and_what_is_left_out_has_a_default() -> None:
    needed = {name: ENVIRON[name] for name in ("LCCP_RUN", "LCCP_STORE")}
    found = Invocation.from_environ(needed | {"PATH": "/bin", "LCCP_OTHER": "x"})

    assert (found.attempt, found.base_directory, found.objective) == (1, ".", "Pretrain")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"LCCP_RUN": None}, "LCCP_RUN is not set"),
        ({"LCCP_STORE": None}, "LCCP_STORE is not set"),
        ({"LCCP_RUN": "tiny"}, "LCCP_RUN must be namespace/name"),
        ({"LCCP_RUN": "a/b/c"}, "LCCP_RUN must be namespace/name"),
        ({"LCCP_RUN": "/b"}, "LCCP_RUN must be namespace/name"),
        ({"LCCP_STORE": "file:///x"}, "LCCP_STORE is not JSON"),
        ({"LCCP_EXTERNAL_SUITE": "mine"}, "LCCP_EXTERNAL_SUITE is not JSON"),
        ({"LCCP_STORE": "{}"}, "store.url: is required"),
        ({"LCCP_ATTEMPT": "0"}, "attempt: input should be greater than or equal to 1"),
        ({"LCCP_OBJECTIVE": "SFT"}, "LCCP_OBJECTIVE SFT needs LCCP_TOKENS"),
        ({"LCCP_BRANCH": "0"}, "branch: input should be greater than or equal to 1"),
        (
            {"LCCP_OBJECTIVE": "SFT", "LCCP_TOKENS": "5", "LCCP_BRANCH": "5"},
            "LCCP_BRANCH: a branch's checkpoint cannot be fine-tuned",
        ),
    ],
)
def test_a_variable_at_fault_is_named(changes: dict[str, str | None], sentence: str) -> None:
    environ = {n: v for n, v in (ENVIRON | changes).items() if v is not None}
    with pytest.raises(InvalidInput, match=f"^environment: .*{sentence}"):
        Invocation.from_environ(environ)
