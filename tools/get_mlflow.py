"""Install MLflow's server, which tests of the export log to, in a separate environment.

It can't be in the project's: its GraphQL library needs an older python-dateutil than the
Kubernetes client.
"""

import subprocess
import sys
from pathlib import Path

from environments import install_into

VERSION = "mlflow==3.17.2"
FOLDER = Path(__file__).parents[1] / ".venv-mlflow"
PROGRAM = FOLDER / "bin" / "mlflow"
INSTALL_SECONDS = 1_800


def main() -> int:
    """Create the environment, unless it exists."""
    if not PROGRAM.exists():
        print(f"{VERSION}, into {FOLDER.name}. To download: about 250 MB; on disk: about 850 MB.")
        done = subprocess.run([*install_into(FOLDER), VERSION], timeout=INSTALL_SECONDS)
        if done.returncode != 0:
            return done.returncode
    print(PROGRAM)
    return 0


if __name__ == "__main__":
    sys.exit(main())
