"""A million tasks on ten thousand nodes, with some faults of each kind."""

import json
import subprocess
import sys

import pytest

COMMON = ("query fails", "slow call", "late file", "full disk: workers", "damaged segment", "goodbye is missing")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_tasks_on_ten_thousand_nodes(record_property):
    """All but the culprit return, soon, with few calls, in bounded memory and time: nothing in it is quadratic."""
    done = subprocess.run([sys.executable, "-m", "tests.unit.scale"], stdout=subprocess.PIPE, check=True, timeout=500)
    took = json.loads(done.stdout)
    print(done.stdout.decode())
    for name in ("makespan_to_ideal", "queries", "submissions", "peak_mib", "cpu_seconds"):
        record_property(name, took[name])
    assert 1_000_000 == took["done"]
    assert {"333333": "Crashed"} == took["lost"]
    assert {} == {kind: 0 for kind in COMMON if not took["faults"].get(kind)}
    assert took["begun"] <= 1.05 * took["tasks"]
    assert took["makespan_to_ideal"] < 2.0
    assert took["queries"] <= took["makespan"] / 5.0 + 1
    assert took["submissions"] < 200
    assert took["peak_mib"] < 2000
