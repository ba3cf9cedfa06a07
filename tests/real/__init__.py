"""Real schedulers on this machine, for tests and by hand: see `python -m tests.real --help`."""
