"""What file systems have of their own beside the files of users."""

LOST_AND_FOUND = "lost+found"
"""The folder at the root of a volume for what a check of it finds; only root may enter it."""
