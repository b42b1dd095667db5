"""Run the benchmarks, one after another: all of benchmarks/, or those that are named."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def main(names: list[str]) -> int:
    known = sorted(path.stem for path in BENCHMARKS.glob("*.py"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(
            f"there is no benchmark {unknown[0]}: choose from {', '.join(known)}", file=sys.stderr
        )
        return 2
    failed = [name for name in names or known if not _passes(name)]
    return 1 if failed else 0


def _passes(name: str) -> bool:
    print(f"== {name}", flush=True)
    return subprocess.run([sys.executable, BENCHMARKS / f"{name}.py"]).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
