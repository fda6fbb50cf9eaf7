"""The slim network: its layers chosen from the published one's, and taught by it."""
