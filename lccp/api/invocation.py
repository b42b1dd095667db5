"""The environment variables that tell a trainer or evaluator what to do, parsed once at startup.

The embedded engine and the Job builders write them; `lccp-train` and `lccp-evaluate` read them.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lccp.api.labels import INTRINSIC
from lccp.api.spec.evaluation import ExternalSuite
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput


class StoreConfig(Contract):
    """Where a store is and how to reach it. Credentials are never part of it."""

    name: Annotated[str, Field(description="Name that runs use.")] = "default"
    url: Annotated[str, Field(description="`file:///path` or `s3://bucket/prefix`.")]
    endpoint: Annotated[str | None, Field(description="S3 endpoint, `http(s)://host:port`.")] = None
    region: Annotated[str | None, Field(description="S3 region.")] = None
    path_style: Annotated[bool, Field(description="Bucket in the path, not in the host name.")] = (
        True
    )
    ca_file: Annotated[
        str | None, Field(description="File of the CA that signed the endpoint.")
    ] = None
    ca_bundle: Annotated[
        str | None, Field(description="Certificates of that CA, in PEM, instead of a file.")
    ] = None
    credentials_directory: Annotated[
        str | None,
        Field(
            description="Folder with the files accessKey and secretKey (a mounted Secret); else "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are read."
        ),
    ] = None
    instance_metadata: Annotated[
        str | None,
        Field(
            pattern="^https?://[^/]+$",
            description="URL of the nodes' metadata service, such as `http://169.254.169.254`: "
            "without keys and a pod identity, keys of the node's role are requested from it "
            "(IMDSv2). None: not used.",
        ),
    ] = None


class Invocation(Contract):
    """The input of a process of a run. Its spec is in the store: `run.json` and `control/`."""

    namespace: Annotated[str, Field(min_length=1, description="Namespace of the run.")]
    name: Annotated[str, Field(min_length=1, description="Name of the run.")]
    store: StoreConfig
    attempt: Annotated[
        int, Field(ge=1, description="Attempt of the gang, or try of the evaluation.")
    ] = 1
    tokens: Annotated[int | None, Field(description="Checkpoint to evaluate, or to fine-tune.")] = (
        None
    )
    suite: Annotated[str, Field(description="Suite to evaluate it by.")] = INTRINSIC
    external: Annotated[
        ExternalSuite | None, Field(description="That suite, if it is external.")
    ] = None
    processes: Annotated[
        int,
        Field(ge=1, description="Processes that evaluate together; a trainer reads its topology."),
    ] = 1
    objective: Annotated[
        Literal["Pretrain", "SFT"],
        Field(description="A trainer trains the run, or fine-tunes one of its checkpoints."),
    ] = "Pretrain"
    branch: Annotated[
        int | None,
        Field(
            ge=1,
            description="Tokens of the state from which the branch to train starts. None: train "
            "the run itself.",
        ),
    ] = None
    pod_uid: Annotated[str, Field(description="UID of the pod, or a random one on a laptop.")] = ""
    base_directory: Annotated[
        str, Field(description="Folder that relative paths are relative to.")
    ] = "."

    @model_validator(mode="after")
    def _names_what_is_fine_tuned(self) -> "Invocation":
        if self.objective == "SFT" and self.tokens is None:
            raise ValueError("LCCP_OBJECTIVE SFT needs LCCP_TOKENS: the checkpoint to fine-tune")
        if self.objective == "SFT" and self.branch is not None:
            raise ValueError(
                "LCCP_BRANCH: a branch's checkpoint cannot be fine-tuned: leave it out"
            )
        return self

    @property
    def run(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def to_environ(self) -> dict[str, str]:
        """The variables that `from_environ` reads."""
        given = {
            "LCCP_RUN": self.run,
            "LCCP_STORE": json.dumps(self.store.document(), separators=(",", ":")),
            "LCCP_ATTEMPT": str(self.attempt),
            "LCCP_POD_UID": self.pod_uid,
            "LCCP_BASE_DIRECTORY": self.base_directory,
        }
        if self.tokens is not None:
            given |= {"LCCP_TOKENS": str(self.tokens), "LCCP_SUITE": self.suite}
        if self.external is not None:
            given["LCCP_EXTERNAL_SUITE"] = self.external.model_dump_json(
                by_alias=True, exclude_none=True, exclude={"workload"}
            )
        if self.processes > 1:
            given["LCCP_PROCESSES"] = str(self.processes)
        if self.objective != "Pretrain":
            given["LCCP_OBJECTIVE"] = self.objective
        if self.branch is not None:
            given["LCCP_BRANCH"] = str(self.branch)
        return given

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """The invocation in `environ`. Raises InvalidInput, naming the variable at fault."""
        namespace, _, name = _given(environ, "LCCP_RUN").partition("/")
        if not namespace or not name or "/" in name:
            raise InvalidInput("environment: LCCP_RUN must be namespace/name")
        document = {
            "namespace": namespace,
            "name": name,
            "store": _json(environ, "LCCP_STORE"),
            "attempt": environ.get("LCCP_ATTEMPT", "1"),
            "tokens": environ.get("LCCP_TOKENS"),
            "suite": environ.get("LCCP_SUITE", INTRINSIC),
            "external": _json(environ, "LCCP_EXTERNAL_SUITE", "null"),
            "processes": environ.get("LCCP_PROCESSES", "1"),
            "objective": environ.get("LCCP_OBJECTIVE", "Pretrain"),
            "branch": environ.get("LCCP_BRANCH"),
            "pod_uid": environ.get("LCCP_POD_UID", ""),
            "base_directory": environ.get("LCCP_BASE_DIRECTORY", "."),
        }
        return cls.parse(document, "environment")


def _given(environ: Mapping[str, str], name: str) -> str:
    try:
        return environ[name]
    except KeyError:
        raise InvalidInput(f"environment: {name} is not set") from None


def _json(environ: Mapping[str, str], name: str, default: str | None = None) -> object:
    text = environ.get(name, default)
    try:
        return json.loads(_given(environ, name) if text is None else text)
    except ValueError:
        raise InvalidInput(f"environment: {name} is not JSON") from None
