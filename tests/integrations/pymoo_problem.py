"""A problem for pymoo, where also multiprocessing finds it."""

import numpy as np
from pymoo.core.problem import ElementwiseProblem

from tests.integrations import problems


class Distance(ElementwiseProblem):
    """The distance to a place in the plane."""

    def __init__(self, **given):
        super().__init__(n_var=2, n_obj=1, xl=np.array([-5, -5]), xu=np.array([5, 5]), **given)

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = problems.distance(x)
