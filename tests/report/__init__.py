"""The report of a map."""
