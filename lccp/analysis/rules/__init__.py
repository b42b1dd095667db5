"""The verdict's rules over plain arrays, for one run or for many simulated runs at once.

Values are arrays [..., K]: K fitted checkpoints on the last axis, any runs before it. Clusters are
arrays [..., C, K]. Tokens are counted in horizons, so a slope is a gain per horizon.
"""
