"""The real command line, whose engine starts the stub programs instead of trainer and evaluator.

    python stubbed_command_line.py TRAINER_JSON EVALUATOR_JSON ARGUMENTS…

The first two are the arguments of the stubs, each a list.
"""

import json
import sys

from laptop import STUBS

from lccp_cli.main import main
from lccp_operator.embedded import Programs, engine

if __name__ == "__main__":
    stub = (sys.executable, "-I", "-S", str(STUBS))
    trainer, evaluator = ((*stub, *json.loads(options)) for options in sys.argv[1:3])
    engine.Programs = lambda: Programs(trainer, evaluator)  # type: ignore[misc,assignment]
    sys.argv = ["lccp", *sys.argv[3:]]
    main()
