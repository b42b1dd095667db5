"""A Hugging Face model, loaded so that a pass can share its keys and watch its heads."""
