"""Cached features, batches, epochs that resume, and the trainings of the recipes."""
