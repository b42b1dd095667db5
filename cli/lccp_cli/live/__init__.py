"""What a terminal shows while something goes on: a run, or a folder that is watched."""
