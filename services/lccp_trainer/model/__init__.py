"""The model: a Hugging Face directory, read and written."""
