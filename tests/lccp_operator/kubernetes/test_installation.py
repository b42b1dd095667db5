"""The installation's configuration file."""

from pathlib import Path

import a_run
import pytest

from lccp.api.spec.workload import ResourceSpec
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.installation import CONFIG_VARIABLE, Installation

COMPLETE = """
stores: [{name: default, url: "file:///store"}]
trainerImage: t
evaluatorImage: e
operatorImage: o
"""


def load(tmp_path: Path, text: str) -> Installation:
    path = tmp_path / "installation.yaml"
    path.write_text(text)
    return Installation.load({CONFIG_VARIABLE: str(path)})


def test_a_store_is_found_by_its_name(tmp_path: Path) -> None:
    found = load(tmp_path, COMPLETE)

    assert found.store("default") == found.stores[0]
    assert found.store("another") is None


def test_a_run_is_offered_what_its_installation_and_then_its_spec_name(tmp_path: Path) -> None:
    own = "purgeResources: {requests: {cpu: 2}}\nrunServiceAccount: trainers\n"
    settings = load(tmp_path, COMPLETE + own)

    found = settings.offered(a_run.run())
    named = settings.offered(a_run.run(topology={"image": "t2"}))

    assert (found.trainer_image, found.evaluator_image, found.purger_image) == ("t", "e", "o")
    assert found.purger_resources == ResourceSpec(requests={"cpu": "2"})
    assert found.templates is not None
    assert found.templates.run_service_account == "trainers"
    assert (named.trainer_image, named.evaluator_image) == ("t2", "e")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (COMPLETE.replace("trainerImage: t", ""), "trainerImage: is required"),
        (COMPLETE + "color: blue", "color: there is no such field"),
        (COMPLETE + "lease: {name: a, namespace: b, durationSeconds: 1}", "lease.durationSeconds"),
        (
            COMPLETE + "lease: {name: a, namespace: b, durationSeconds: 25}",
            "lease.durationSeconds",
        ),
        ("stores: [", "is not YAML"),
        (COMPLETE + "trainerImage: t2", "the key 'trainerImage' occurs twice"),
    ],
    ids=[
        "missing",
        "unknown",
        "out of range",
        "longer than a Lease is waited for",
        "no YAML",
        "twice",
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=r"installation\.yaml: ") as refusal:
        load(tmp_path, text)
    assert sentence in str(refusal.value)


CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----\n"


def with_ca(tmp_path: Path, text: str) -> Installation:
    """An installation whose store's CA file holds `text`."""
    (tmp_path / "ca.crt").write_text(text)
    store = f"url: 's3://bucket', caFile: {tmp_path / 'ca.crt'}"
    return load(tmp_path, COMPLETE.replace('url: "file:///store"', store))


def test_the_certificates_of_a_stores_ca_are_read_and_nothing_else_of_its_file(
    tmp_path: Path,
) -> None:
    found = with_ca(tmp_path, f"# ours\n{CA}{KEY}\n{CA}").stores[0]

    assert (found.ca_file, found.ca_bundle) == (None, CA + CA)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(KEY, "holds no CA certificates"), (CA * 2_000, "name a file with only this store's CA")],
    ids=["no certificate", "a whole system's"],
)
def test_a_ca_that_pods_cannot_be_given_is_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(
        InvalidInput, match=rf"store default: caFile .*ca\.crt: .*{sentence}"
    ) as error:
        with_ca(tmp_path, text)
    assert "MII" not in str(error.value)


def test_a_ca_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = COMPLETE.replace('url: "file:///store"', "url: 's3://bucket', caFile: /none.crt")

    with pytest.raises(InvalidInput, match=r"caFile /none\.crt: cannot be read \(No such file"):
        load(tmp_path, text)


def test_a_missing_file_is_named_with_the_variable(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"set {CONFIG_VARIABLE}"):
        Installation.load({CONFIG_VARIABLE: str(tmp_path / "none.yaml")})
