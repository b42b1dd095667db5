"""The commands of `lccp`, one module each; what a command needs is imported when it runs."""
