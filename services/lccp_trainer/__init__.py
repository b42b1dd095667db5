"""The trainer: DeepSpeed on a Hugging Face causal language model."""
