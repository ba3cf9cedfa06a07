"""The peers, each in a file of its own; they import their libraries only once they are called."""
