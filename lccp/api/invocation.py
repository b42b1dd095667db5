"""How a trainer or evaluator is told what to do: environment variables, parsed once, at the start.

The embedded engine and the Job builders write them; `lccp-train` and `lccp-evaluate` read them.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field

from lccp.api.run import LCCPRun
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput


class StoreConfig(Contract):
    """Where a store is and how it is reached. Credentials are never part of it."""

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
        str | None, Field(description="Certificates of that CA, in PEM, in place of a file.")
    ] = None
    credentials_directory: Annotated[
        str | None,
        Field(
            description="Folder with the files accessKey and secretKey (a mounted Secret); else "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are read."
        ),
    ] = None


class Invocation(Contract):
    """What a process of a run is told."""

    run: LCCPRun
    store: StoreConfig
    attempt: Annotated[
        int, Field(ge=1, description="Attempt of the gang, or try of the evaluation.")
    ] = 1
    tokens: Annotated[
        int | None, Field(description="Checkpoint to evaluate; none for a trainer.")
    ] = None
    pod_uid: Annotated[str, Field(description="UID of the pod, or a random one on a laptop.")] = ""
    base_directory: Annotated[str, Field(description="Folder that relative paths start from.")] = (
        "."
    )

    def to_environ(self) -> dict[str, str]:
        """The variables that `from_environ` reads."""
        given = {
            "LCCP_RUN": json.dumps(self.run.document(), separators=(",", ":")),
            "LCCP_STORE": json.dumps(self.store.document(), separators=(",", ":")),
            "LCCP_ATTEMPT": str(self.attempt),
            "LCCP_POD_UID": self.pod_uid,
            "LCCP_BASE_DIRECTORY": self.base_directory,
        }
        return given | ({} if self.tokens is None else {"LCCP_TOKENS": str(self.tokens)})

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """The invocation in `environ`. Raises InvalidInput, naming the variable at fault."""
        document = {
            "run": _parsed(environ, "LCCP_RUN"),
            "store": _parsed(environ, "LCCP_STORE"),
            "attempt": environ.get("LCCP_ATTEMPT", "1"),
            "tokens": environ.get("LCCP_TOKENS"),
            "pod_uid": environ.get("LCCP_POD_UID", ""),
            "base_directory": environ.get("LCCP_BASE_DIRECTORY", "."),
        }
        return cls.parse(document, "environment")


def _parsed(environ: Mapping[str, str], name: str) -> object:
    try:
        return json.loads(environ[name])
    except KeyError:
        raise InvalidInput(f"environment: {name} is not set: it must hold JSON") from None
    except ValueError:
        raise InvalidInput(f"environment: {name} is not JSON") from None
