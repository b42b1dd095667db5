"""Settings that probes have in common: lengths of prompts, texts around a question, needles."""
