"""Settings that probes share: lengths of prompts, texts around a question, needles."""
