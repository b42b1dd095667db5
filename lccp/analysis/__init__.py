"""Pure numerics over evaluation reports: no I/O, no clock, only numpy."""
