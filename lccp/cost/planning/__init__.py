"""Which layouts of a training fit on accelerators of a kind, and what each of them needs."""
