"""Run the benchmarks, one after another: those that need no cluster, or the named ones."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
ON_A_CLUSTER = {"operator"}


def main(names: list[str]) -> int:
    scripts = {path.stem: path for path in BENCHMARKS.glob("*.py")}
    scripts |= {path.parent.name: path.parent for path in BENCHMARKS.glob("*/__main__.py")}
    known = sorted(scripts)
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(
            f"there is no benchmark {unknown[0]}: choose from {', '.join(known)}", file=sys.stderr
        )
        return 2
    chosen = names or [name for name in known if name not in ON_A_CLUSTER]
    failed = [name for name in chosen if not _passes(scripts[name])]
    return 1 if failed else 0


def _passes(script: Path) -> bool:
    print(f"== {script.stem}", flush=True)
    return subprocess.run([sys.executable, script]).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
