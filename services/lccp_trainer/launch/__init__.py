"""What is started from outside: the processes of a container, and the tokenizing before a run."""
