"""Random maps on real schedulers while things are killed, stopped and filled up: `python -m tests.chaos --help`."""
