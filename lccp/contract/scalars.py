"""Numbers and times of the contract, within what every reader of them can take."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from lccp.contract.quantities import TOKENS_MAX

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Sums of these times with all intervals of the contract are times, too."""

Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""An integer as the API server, Prometheus and most readers of JSON know them."""

WholeSeconds = Annotated[int, Field(ge=0, le=10**15)]
"""A length of time. The API server reads bounds of a CRD as float64, so that 2**63 - 1 overflows
there and refuses every number."""

TokenCount = Annotated[int, Field(ge=0, le=TOKENS_MAX)]
"""A number of trained tokens."""

Time = Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST)]
"""A point in time, with its time zone."""
