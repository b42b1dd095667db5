"""Records of a fine-tuning become rows, of which completions alone are predicted."""
