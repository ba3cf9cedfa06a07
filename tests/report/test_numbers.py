"""The arithmetic of reports, by hand-made values."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypoolparty.arguments import parse_mem, parse_time
from pypoolparty.report._advice import Needs, advise, round_up_memory, round_up_time
from pypoolparty.report._numbers import add_interval, histogram, settle, spread_of
from pypoolparty.report._text import amount, clock, count, duration, escaped, plain, share
from pypoolparty.report._timeline import group_hosts

GB = 1 << 30


def test_advice_of_the_issue():
    """The example that users are promised: margins of a quarter and a half, and round limits."""
    advice = advise(Needs(peak_memory=1.7 * GB, longest_task=13 * 60, longest_job=14 * 60))
    assert "mem='2.2G', time='0:20:00'" == advice.code
    assert "the peak was 1.7 GB" in advice.reasons[0]
    assert "the longest task took 13 min" in advice.reasons[1]


@pytest.mark.parametrize(
    ("needs", "code"),
    [
        (Needs(), ""),
        (Needs(peak_memory=10 << 20, longest_task=0.01, longest_job=1), "mem='100M', time='0:01:00'"),
        (Needs(peak_memory=GB, workers_per_job=8), "mem='10G'"),
        (Needs(peak_memory=GB, asked_memory=2 * GB, out_of_memory=3), "mem='3G'"),
        (Needs(longest_task=50, longest_job=60, asked_time=600, out_of_time=1), "time='0:20:00'"),
        (Needs(longest_task=60, longest_job=7200), "time='3:00:00'"),
        (Needs(longest_task=60, longest_job=7200, is_elastic=False), "time='3:00:00'"),
        (Needs(longest_task=60, longest_job=66, cpus=4, efficiency=0.27), "time='0:02:00', cpus=2"),
        (Needs(longest_task=60, longest_job=66, cpus=1, efficiency=3.9), "time='0:02:00', cpus=4"),
        (Needs(longest_task=60, longest_job=66, cpus=4, efficiency=0.9), "time='0:02:00'"),
    ],
)
def test_advice(needs, code):
    """What to ask for, by what was needed: nothing known, little, more than was asked for, too few or many CPUs."""
    assert code == advise(needs).code


def test_advice_for_many_tasks_in_long_queue_jobs():
    """The safe limit is that of the longest queue-job; the least that would do is told too."""
    advice = advise(Needs(longest_task=60, longest_job=7200))
    assert "As little as time='0:02:00' would do" in advice.reasons[0]


def test_advice_tells_what_was_asked_for():
    """So that one sees how far off it was."""
    needs = Needs(peak_memory=GB, longest_task=60, longest_job=60, asked_memory=4 * GB, asked_time=7200)
    assert "of 4 GB asked for" in advise(needs).reasons[0]
    assert "of 2 h asked for" in advise(needs).reasons[1]


def test_advice_while_the_map_runs():
    """It says that more may be needed."""
    assert "may need more" in advise(Needs(longest_task=60, longest_job=60, is_complete=False)).reasons[-1]


@given(st.floats(1, 1e14))
def test_memory_is_rounded_up_to_what_pools_take(n_bytes):
    """Never less than was needed, and never much more."""
    asked = parse_mem(round_up_memory(n_bytes))
    assert n_bytes <= asked * (1 + 1e-6)
    assert asked <= max(1.13 * n_bytes, 1 << 20)


@given(st.floats(0.001, 3e6))
def test_time_is_rounded_up_to_what_pools_take(seconds):
    """Never less than was needed, and at most two and a half times as much."""
    asked = parse_time(round_up_time(seconds))
    assert seconds <= asked + 1e-6
    assert asked <= max(60, 2.5 * seconds)


def test_spread():
    """Median and 95 % are values that occur, or lie between two that do."""
    spread = spread_of([4, 1, 3, 2])
    assert (4, 1, 2.5, 4, 4, 2.5) == (spread.n, spread.least, spread.median, spread.p95, spread.most, spread.mean)
    assert 95 == spread_of(range(1, 101)).p95
    assert 0 == spread_of([]).n


@given(st.lists(st.floats(0, 1e7), max_size=200), st.sampled_from([0.0, 1e-3]))
def test_histogram_counts_each_value_once(values, floor):
    """Whatever the values: edges ascend, enclose all of them, and the counts sum up."""
    found = histogram(values, floor=floor)
    assert len(values) == sum(found.counts)
    assert list(found.edges) == sorted(set(found.edges))
    assert len(found.counts) <= 60
    if values:
        assert found.edges[0] <= max(min(values), floor, 1e-9 * max(values)) * (1 + 1e-6)
        assert max(values) <= found.edges[-1] * (1 + 1e-6)


def test_histogram_by_hand():
    """Narrow values are counted on an even scale at round edges, wide ones on a logarithmic one."""
    even = histogram([1.0, 2.0, 2.5, 4.0], most_bins=3)
    assert (False, (1.0, 2.0, 3.0, 4.0), (1, 2, 1)) == (even.is_log, even.edges, even.counts)
    wide = histogram([0.01, 0.02, 5.0, 900.0], most_bins=5)
    assert wide.is_log
    assert pytest.approx((0.01, 0.1, 1, 10, 100, 1000)) == wide.edges
    assert (2, 0, 1, 0, 1) == wide.counts


@given(st.lists(st.tuples(st.floats(0, 7), st.floats(0, 7)), max_size=30))
def test_intervals_are_summed_over_bins(intervals):
    """The sums are what a slow and plain way finds."""
    partial, steps = array("d", bytes(8 * 7)), array("d", bytes(8 * 8))
    for begin, end in intervals:
        add_interval(begin, end, partial, steps)
    plainly = [sum(max(0.0, min(end, k + 1) - max(begin, k)) for begin, end in intervals) for k in range(7)]
    assert pytest.approx(plainly, abs=1e-6) == settle(partial, steps)


def test_many_hosts_share_rows():
    """Neighbours are put together, and all hosts have a row."""
    hosts = [f"n{k:03d}" for k in range(100)]
    rows, row_of = group_hosts(hosts, most=48)
    assert 34 == len(rows)
    assert ("n000 … n002", "n099") == (rows[0], rows[-1])
    assert {*range(34)} == {row_of[host] for host in hosts}
    assert (["a", "b"], {"a": 0, "b": 1}) == group_hosts(["a", "b"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("13 min", duration(780)),
        ("2 h 30 min", duration(9000)),
        ("1 min", duration(59.9999)),
        ("740 ms", duration(0.74)),
        ("1.9 µs", duration(1.9e-6)),
        ("1.5 d", duration(129600)),
        ("0 s", duration(0)),
        ("1.7 GB", amount(1.7 * GB)),
        ("512 B", amount(512)),
        ("1,000 tasks", count(1000, "task")),
        ("1 task", count(1, "task")),
        ("> 99 %", share(999_999, 1_000_000)),
        ("< 1 %", share(1, 1_000_000)),
        ("-", share(0, 0)),
        ("1970-01-01 00:00:00 UTC", clock(0)),
    ],
)
def test_numbers_are_written_for_people(text, found):
    """In few figures, and nothing is all or none that is not quite."""
    assert text == found


def test_texts_of_tasks_become_harmless():
    """Markup, control characters, lone surrogates and changes of direction stay text, and the end of long ones."""
    assert "&lt;/script&gt;&lt;b a=&quot;x&quot; c=&#x27;y&#x27;&gt;" == escaped("</script><b a=\"x\" c='y'>")
    assert "a␀b␛[31mc\n\td" == plain("a\0b\x1b[31mc\r\n\td")
    assert "�� �" == plain("\udcff\u202e \x9b")
    assert plain("x" * 30 + "end", most=10).endswith("\nxxxxxxxend")
