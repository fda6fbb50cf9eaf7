"""Figures -> the pictures of models/report and the tables of README.md and the model card."""
