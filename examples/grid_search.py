"""scikit-learn's GridSearchCV on a pool, by one line around `fit`.

    python examples/grid_search.py --pool local
    python examples/grid_search.py --pool slurm

scikit-learn computes in parallel through joblib; `pypoolparty.joblib_backend` makes a pool joblib's backend.
"""

import argparse
import sys

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import pypoolparty
from pypoolparty import joblib_backend  # noqa: F401  (it makes itself known to joblib)

GRID = {"C": [0.1, 1.0, 10.0], "gamma": [1e-4, 1e-3, 1e-2]}


def main():
    """Run the example; return 0 if the answer is right."""
    parser = argparse.ArgumentParser(description="Search a grid of parameters of a classifier of digits.")
    parser.add_argument("--pool", choices=["local", "slurm", "auto"], default="auto")
    options = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    images, digits = images[:600], digits[:600]
    search = GridSearchCV(SVC(), GRID, cv=3, n_jobs=-1)
    with (
        pypoolparty.Pool(backend=None if options.pool == "auto" else options.pool, mem="2G") as pool,
        joblib.parallel_config("pypoolparty", pool=pool),
    ):
        search.fit(images, digits)
    print(f"best of {len(search.cv_results_['params'])}: {search.best_params_}, accuracy {search.best_score_:.3f}")

    alone = GridSearchCV(SVC(), GRID, cv=3).fit(images, digits)
    is_right = alone.best_params_ == search.best_params_ and search.best_score_ > 0.9
    print("OK" if is_right else "WRONG")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
