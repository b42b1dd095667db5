"""The embedded edge: processes of this machine in place of Jobs."""
