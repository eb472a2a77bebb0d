"""The commands of `tally`, a module for each group; `api.cli` puts them together."""
