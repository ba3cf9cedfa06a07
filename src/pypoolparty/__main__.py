"""``python -m pypoolparty``: the command line, also where the script is not on the PATH."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="python -m pypoolparty")
