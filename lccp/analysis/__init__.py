"""Pure numerics over evaluation reports: no I/O, no clock, numpy alone."""
