"""The dashboards as the files that the chart ships."""

import json

from lccp_exporter.dashboards.board import Board
from lccp_exporter.dashboards.fleet import FLEET
from lccp_exporter.dashboards.operator import OPERATOR
from lccp_exporter.dashboards.run import RUN

BOARDS: dict[str, Board] = {board.name: board for board in (RUN, FLEET, OPERATOR)}


def render(name: str) -> str:
    """The JSON of the dashboard of that name."""
    return json.dumps(BOARDS[name].json(), indent=1, ensure_ascii=False) + "\n"
