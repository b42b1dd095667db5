"""The commands of `lccp`, one module each; a command's dependencies are imported when it runs."""
