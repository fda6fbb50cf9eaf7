"""Cached features, batches, epochs that resume, and the trainings of the recipes."""

# Counts up when a training ends with other weights: figures measured before are of those.
VERSION = 1
