"""Source texts of samples: from files, or made up from a seed."""
