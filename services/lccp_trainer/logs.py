"""One line of log an event, to standard error."""

import logging
import os
import sys
import time
import warnings

LOGGER = logging.getLogger("lccp.trainer")


def set_up(run: str, attempt: int, who: str) -> None:
    """Log lines of this process as `<time> <level> run=… attempt=… <who> <text>`, in UTC."""
    text = f"%(asctime)sZ %(levelname)s run={run} attempt={attempt} {who} %(message)s"
    formatter = logging.Formatter(text, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    LOGGER.handlers = [handler]
    LOGGER.propagate = False
    LOGGER.setLevel(os.environ.get("LCCP_LOG_LEVEL", "INFO"))


def quiet_libraries() -> None:
    """Keep what DeepSpeed and transformers say below an error out of the log."""
    from transformers.utils.logging import disable_progress_bar

    for name in ("DeepSpeed", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore")
