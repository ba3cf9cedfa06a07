"""Peers and ourselves, measured side by side: python -m bench run --help."""
