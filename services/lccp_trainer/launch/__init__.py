"""The first process of a container, the processes below it, and what is checked before them."""
