"""The option `--endpoint`, the same for every command that reaches a store."""

from typing import Annotated

import typer

Endpoint = Annotated[
    str | None, typer.Option(envvar="LCCP_S3_ENDPOINT", help="Endpoint of an s3:// store.")
]
