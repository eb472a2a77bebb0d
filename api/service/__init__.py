"""The HTTP service: what platforms, verifiers and exchanges talk to (`tally serve`)."""
