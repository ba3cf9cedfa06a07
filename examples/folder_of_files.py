"""A folder of files: the words in each are counted, and one of the files is broken.

    python examples/folder_of_files.py --pool local
    python examples/folder_of_files.py --pool slurm --folder /path/that/all/nodes/see

Tasks are paths, not contents: the nodes read the files themselves. `weights` begins the large files first, and
`on_error="return"` puts the failure of one file at its place in the list instead of raising it.
"""

import argparse
import collections
import sys
import tempfile
from pathlib import Path

import pypoolparty


def count_words(path):
    """Return how often each word is in a text file."""
    return collections.Counter(Path(path).read_text(encoding="utf-8").lower().split())


def write_files(folder):
    """Write texts of many sizes, and one file that is no text."""
    for number in range(1, 20):
        text = f"the quick brown fox jumps over the lazy dog number{number}\n"
        Path(folder, f"{number:03d}.txt").write_text(text * number * 100)
    Path(folder, "broken.txt").write_bytes(b"\xff\xfe\x00")


def count_all(paths, backend):
    """Count on a pool; return the words of all files, and which files failed why."""
    with pypoolparty.Pool(backend=backend) as pool:
        counts = pool.map(count_words, paths, on_error="return", weights=[path.stat().st_size for path in paths])
    total, failed = collections.Counter(), {}
    for path, count in zip(paths, counts, strict=True):
        if isinstance(count, BaseException):
            failed[path.name] = count
        else:
            total.update(count)
    return total, failed


def main():
    """Run the example; return 0 if the answer is right."""
    parser = argparse.ArgumentParser(description="Count the words in a folder of text files.")
    parser.add_argument("--pool", choices=["local", "slurm", "auto"], default="auto")
    parser.add_argument("--folder", help="by default one is made, here, and removed again")
    options = parser.parse_args()
    backend = None if options.pool == "auto" else options.pool

    with tempfile.TemporaryDirectory(dir=".") as made:
        if options.folder is None:
            write_files(made)
        paths = sorted(Path(options.folder or made).resolve().glob("*.txt"))
        total, failed = count_all(paths, backend)
    print(f"{total.total():,} words in {len(paths) - len(failed)} files; the most frequent: {total.most_common(1)}")
    for name, error in failed.items():
        print(f"{name}: {type(error).__name__}: {error}")
    if options.folder is None:
        is_right = total["the"] == 2 * 100 * sum(range(1, 20)) and list(failed) == ["broken.txt"]
        print("OK" if is_right else "WRONG")
        return 0 if is_right else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
