"""Entry points: the processes of a container, and the tokenizing before a run."""
