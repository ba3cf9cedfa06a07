"""Libraries that take a pool, or its map, as it is."""

import pytest

from tests.integrations import problems

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.timeout(240)


def test_emcee(pool):
    """Emcee finds the mean of a normal density; with the same seed the same chain as without any pool."""
    emcee = pytest.importorskip("emcee")

    def chain(pool):
        start = np.random.default_rng(1).normal(size=(8, 2))
        sampler = emcee.EnsembleSampler(8, 2, problems.log_probability, pool=pool)
        state = emcee.State(start, random_state=np.random.RandomState(2).get_state())
        sampler.run_mcmc(state, 2)
        return sampler.get_chain()

    np.testing.assert_array_equal(chain(None), chain(pool))


def test_differential_evolution(pool):
    """Scipy's optimiser takes ``workers=pool.map``, and finds with it what it finds without."""
    optimize = pytest.importorskip("scipy.optimize")

    def find(**workers):
        bounds = [(-5, 5), (-5, 5)]
        return optimize.differential_evolution(
            problems.distance, bounds, maxiter=3, popsize=4, seed=3, updating="deferred", polish=False, **workers
        )

    found = find(workers=pool.map)
    np.testing.assert_array_equal(find().x, found.x)
    assert found.fun < 5.0


def test_dynesty(pool):
    """Dynesty takes the pool and reckons the evidence of a normal density."""
    dynesty = pytest.importorskip("dynesty")
    sampler = dynesty.NestedSampler(
        problems.log_likelihood,
        problems.prior_of,
        2,
        nlive=20,
        pool=pool,
        queue_size=8,
        rstate=np.random.default_rng(4),
        bound="single",
    )
    sampler.run_nested(maxiter=30, print_progress=False)
    assert sampler.results.niter >= 30
    assert sampler.results.logl[-1] > sampler.results.logl[0]


def test_pymoo(pool):
    """Pymoo's parallelisation by starmap."""
    pytest.importorskip("pymoo")
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.optimize import minimize

    from tests.integrations.pymoo_problem import Distance

    try:
        from pymoo.parallelization.starmap import StarmapParallelization
    except ImportError:
        from pymoo.core.problem import StarmapParallelization

    def find(**given):
        return minimize(Distance(**given), GA(pop_size=8), ("n_gen", 3), seed=5)

    found = find(elementwise_runner=StarmapParallelization(pool.starmap))
    np.testing.assert_array_equal(find().X, found.X)


def test_tqdm(pool):
    """``tqdm(pool.imap(…))`` counts the results as they come."""
    import io

    from tqdm import tqdm

    shown = io.StringIO()
    values = list(tqdm(pool.imap(abs, range(20)), total=20, file=shown))
    assert list(range(20)) == values
    assert "20/20" in shown.getvalue()
