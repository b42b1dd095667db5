"""Write the files that are rendered from code; with --check, name those that are not current."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import typer.cli
import typer.main

from lccp.api.crd import render_crd
from lccp_cli.main import app
from lccp_exporter import alerting
from lccp_exporter.dashboards.render import BOARDS
from lccp_exporter.dashboards.render import render as render_dashboard
from pictures.verdict import PICTURES
from reference.chart import render_page, render_readme
from reference.contract import render_exits, render_reference, render_store
from reference.families import render as render_families
from reference.metrics import render as render_metrics
from reference.parallelism import render as render_parallelism
from reference.probes import render as render_probes

ROOT = Path(__file__).parents[1]


def render_cli() -> str:
    """`docs/reference/cli.md`: the help of every command."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="lccp")
    return typer.cli.get_docs_for_click(obj=command, ctx=context, name="lccp").strip() + "\n"


DASHBOARDS: dict[str, Callable[[], str]] = {
    f"charts/lccp/files/dashboards/{name}.json": partial(render_dashboard, name) for name in BOARDS
}
FILES: dict[str, Callable[[], str]] = {
    **DASHBOARDS,
    **PICTURES,
    "charts/lccp/README.md": render_readme,
    "charts/lccp/files/alerts.yaml": partial(alerting.text, alerting.ALERTS),
    "charts/lccp/files/inhibition.yaml": partial(alerting.text, alerting.INHIBITION),
    "charts/lccp/files/lccpruns.lccp.io.yaml": render_crd,
    "crds/lccpruns.lccp.io.yaml": render_crd,
    "docs/reference/chart.md": render_page,
    "docs/reference/cli.md": render_cli,
    "docs/reference/exit-codes.md": render_exits,
    "docs/reference/families.md": render_families,
    "docs/reference/lccprun.md": render_reference,
    "docs/reference/metrics.md": render_metrics,
    "docs/reference/parallelism.md": render_parallelism,
    "docs/reference/probes.md": render_probes,
    "docs/reference/store.md": render_store,
}


def outdated() -> list[str]:
    """The files whose text differs from the current rendering."""
    return [name for name, render in FILES.items() if _text(ROOT / name) != render()]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main() -> int:
    """Write files that are not current, or with --check name them and fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if outdated")
    names = outdated()
    if parser.parse_args().check:
        for name in names:
            print(f"{name}: is not current: run make generate", file=sys.stderr)
        return 1 if names else 0
    for name in names:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(FILES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
