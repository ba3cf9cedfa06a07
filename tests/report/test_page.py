"""The page: self-contained, and whatever tasks write stays text."""

import html.parser
import json
import os
import re
import sys
import time

import plotly.graph_objects
import pytest

import pypoolparty
from pypoolparty import report
from pypoolparty.errors import NotAWorkDir, PoolPartyError
from pypoolparty.report._facts import facts_of
from pypoolparty.report._page import page_of
from tests.unit.maps import make_map, wait_until

HOSTILE = (
    "</script><script>document.title='bad'</script>",
    "<img src=x onerror=\"document.title='bad'\">",
    "\"'><svg onload=alert(1)>&amp;<!--",
    "\0\x1b[31m\x07\u202e\u2028",
    "](javascript:alert(1)) %s {0} </style></title></pre></details>",
)


def be_hostile(task):
    """Write what would be markup to stderr, with bytes that are no text, and raise with it."""
    os.write(2, HOSTILE[task % len(HOSTILE)].encode() + b"\xff\xfe\x80\n")
    if task < len(HOSTILE):
        raise type("Odd<b>" + str(task), (ValueError,), {})(HOSTILE[task])
    if task == len(HOSTILE):
        os.abort()
    return HOSTILE[0]


def be_quiet(task):
    """Return."""
    return task


class Elements(html.parser.HTMLParser):
    """Notes the elements of a page, their attributes, and the text in them."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes, self.texts, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        self.names.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        """Note a text."""
        self.texts.append(data)


@pytest.fixture
def hostile_page(run_local, tmp_path):
    """Return the report of a map whose tasks write markup."""
    work_dir = run_local(be_hostile, range(len(HOSTILE) + 3), max_num_resubmissions=0)
    with open(report.write(work_dir, tmp_path / "x.html"), encoding="utf-8") as stream:
        return stream.read()


def test_hostile_texts_stay_text(hostile_page):
    """No element or attribute comes of what tasks write, and all of it can be read."""
    assert "\0" not in hostile_page
    assert "\x1b" not in hostile_page
    elements = Elements()
    elements.feed(hostile_page)
    assert {"img", "svg"}.isdisjoint(elements.names)
    assert 3 == elements.names.count("script")
    assert not [name for _, name, _ in elements.attributes if name.startswith("on")]
    texts = "".join(elements.texts)
    assert HOSTILE[0] in texts
    assert HOSTILE[1] in texts
    assert "␀␛[31m␇" in texts
    assert "Odd<b>1" in texts


def test_page_needs_nothing_else(hostile_page):
    """Nothing is loaded from anywhere, and the policy in the page would forbid it."""
    elements = Elements()
    elements.feed(hostile_page)
    loaded = [value for _, name, value in elements.attributes if name in ("src", "href", "action", "srcset")]
    assert ["data:,"] == loaded
    [policy] = [
        value for tag, name, value in elements.attributes if (tag, name) == ("meta", "content") and "-src" in value
    ]
    assert "default-src 'none'" in policy
    assert 2 == policy.count("sha256-")
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    style = hostile_page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert len(hostile_page) < 10_000_000


def figures_in(page):
    """Return the plots of a page."""
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def test_plots_are_what_plotly_takes(hostile_page):
    """Each is valid by plotly's own schema, once colours are put in the place of their names."""
    figures = figures_in(hostile_page)
    assert {"timeline", "activity", "seconds", "waits", "memory", "costs"} <= set(figures)
    for figure in figures.values():
        text = re.sub(r'"var\(--[a-z0-9-]+\)"', '"#123456"', json.dumps(figure))
        plotly.graph_objects.Figure(json.loads(text))


def test_colours_of_plots_are_in_the_style_sheet(hostile_page):
    """For light and for dark."""
    style = hostile_page.partition("<style>")[2].partition("</style>")[0]
    for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", json.dumps(figures_in(hostile_page)) + style)):
        assert 2 == len(re.findall(rf"(?<![\w-]){name}:", style)), name


def luminance(colour):
    """Return the relative luminance of ``#rrggbb``, as the guidelines on accessibility define it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("number", [0, 1])
def test_texts_can_be_read(hostile_page, number):
    """Each colour of text stands out from each that it is written on, by 4.5 to 1, in light and in dark."""
    style = hostile_page.partition("<style>")[2].partition("</style>")[0]

    def colour(name):
        return re.findall(rf"(?<![\w-])--{name}: (#[0-9a-f]{{6}})", style)[number]

    pairs = [(text, back) for text in ("ink", "faint", "link") for back in ("card", "page")]
    pairs += [("ink", "code"), ("good", "good-back"), ("died", "bad-back"), ("warn", "warn-back"), ("died", "card")]
    for text, back in [*pairs, ("raised", "card")]:
        low, high = sorted((luminance(colour(text)), luminance(colour(back))))
        least = 3.0 if text == "raised" else 4.5  # large and bold
        assert (high + 0.05) / (low + 0.05) >= least, (text, back)


def test_each_plot_has_words_and_a_table(hostile_page):
    """Who does not see it can read it."""
    for name in figures_in(hostile_page):
        begin = hostile_page.index(f'id="words-{name}"')
        part = hostile_page[begin : hostile_page.index("</figure>", begin)]
        assert re.search(r">[^<]{10,}</figcaption>", part), name
        assert f'aria-describedby="words-{name}"' in part
        assert "<table>" in part
        assert "<td>" in part


def wait_a_moment(task):
    """Take longer than the clock of CPU time is coarse."""
    time.sleep(0.03)


@pytest.mark.parametrize(("func", "can_tell"), [(be_quiet, False), (wait_a_moment, True)])
def test_efficiency_of_short_tasks(run_local, func, can_tell):
    """Of tasks that take no time it would be noise: nothing is told of it, nor advised from it."""
    facts = facts_of(run_local(func, range(6)))
    assert can_tell == (facts.efficiency.n > 0)
    assert can_tell != ("tasks are too short to tell" in page_of(facts, "", 0.0))


def test_many_tasks_are_summed_up(run_local):
    """Beyond some hundreds, a plot has no mark for each: the timeline becomes one of hosts."""
    facts = facts_of(run_local(be_quiet, range(3000)))
    page = page_of(facts, "", 0.0)
    assert "heatmap" == figures_in(page)["timeline"]["data"][0]["type"]
    assert len(page) < 200_000
    assert "Failures" not in page


def wait_at_gate(gate):
    """Return when the gate is open."""
    while not os.path.exists(gate):
        time.sleep(0.02)


def test_map_that_runs(tmp_path):
    """It says that it runs, and what is done and what is open."""
    gate = tmp_path / "gate"
    with pypoolparty.local.Pool(2, work_dir=tmp_path / "maps", polling_interval=0.1) as pool:
        result = pool.map_async(wait_at_gate, [str(tmp_path), str(tmp_path), str(gate), str(gate)])
        try:
            wait_until(lambda: facts_of(result.work_dir).state.returned == 2 if result.work_dir else False)
            facts = facts_of(result.work_dir)
            page = page_of(facts, "", 0.0)
        finally:
            gate.touch()
        result.get(60)
    assert "● running" in page
    assert "taking" in page
    assert re.search(r"open</dt><dd>2<", page)
    assert 2 == facts.n_started
    assert facts.costs.held > facts.costs.busy
    assert "may need more" in page


def test_map_that_has_not_begun(tmp_path):
    """It says so, and has no plots."""
    made = make_map(tmp_path / "made", be_quiet, range(3))
    page = page_of(facts_of(made.path), "", 0.0)
    assert "● running" in page
    assert "Nothing has run yet" in page
    assert {} == figures_in(page)
    made.abandon()


def test_paths_that_are_refused(tmp_path):
    """A bad path is told with its value, and what to do."""
    with pytest.raises(TypeError, match="not 3"):
        report.check(3)
    with pytest.raises(ValueError, match=r"not ''"):
        report.check("")
    with pytest.raises(ValueError, match=r"not of a folder.*report\.html"):
        report.check(tmp_path)
    with pytest.raises(FileNotFoundError, match="mkdir -p"):
        report.check(tmp_path / "none" / "x.html")
    with pytest.raises(NotAWorkDir):
        report.write(tmp_path, tmp_path / "x.html")
    assert [] == os.listdir(tmp_path)


def test_without_plotly(monkeypatch, tmp_path):
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(PoolPartyError, match=r"pip install pypoolparty\[report\]"):
        report.check(tmp_path / "x.html")


def test_report_that_is_there_is_replaced_at_once(run_local, tmp_path):
    """A failure leaves the old one as it was, and no rest."""
    work_dir = run_local(be_quiet, range(2))
    target = tmp_path / "x.html"
    target.write_text("old")
    report.write(work_dir, target)
    assert target.read_text().startswith("<!doctype html>")
    assert ["maps", "x.html"] == sorted(os.listdir(tmp_path))
