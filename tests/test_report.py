"""The report: what stands in it, and how it behaves in a browser without a network."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from lxml import html

import metaflammation as mf
from metaflammation import figures, library, measurements, targets
from metaflammation.check import Checked, as_json, from_json
from metaflammation.ensembles import committed
from metaflammation.errors import DataError
from metaflammation.expectations import evaluate, judge
from metaflammation.records import Comparison, Reading, Several
from metaflammation.report import curves, intervals, page, robust
from metaflammation.report.equations import equations
from metaflammation.report.references import references

MEGABYTE = 1e6
CHROMIUM, DRIVER = (next((p for p in map(shutil.which, names) if p), None) for names in (
    ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)))  # fmt: skip


def report(*models, bench=None):
    """Return the page of some models, checked in one engine, without shares of assumed parameters (they take long)."""
    sections = []
    for model in models:
        runs = bench or model.runs()
        found = tuple(judge(e, runs) for e in model.expectations.values())
        fit, aims = measurements.agreement(model, runs), targets.agreement(model.targets.values(), runs)
        checked = Checked(model.id, {"roadrunner": found}, {}, None, "", fit, aims, len(runs.done))
        sections.append(page.section(model, as_json(checked), runs=runs))
    return page.render(sections)


@pytest.fixture(scope="module")
def own(tiny_sbml):
    return mf.Model("tiny", tiny_sbml, None)


@pytest.fixture(scope="module")
def own_page(own):
    return report(own)


def test_a_thinned_curve_keeps_its_ends_and_strays_by_no_more_than_it_says():
    time = np.linspace(0, 100, 2001)
    data = pd.DataFrame({"fast": np.exp(-time), "slow": 5 * np.sin(time / 20), "flat": 1.0}, index=time)
    kept = curves.thinned(data)
    assert kept.index[[0, -1]].tolist() == [0.0, 100.0]
    assert len(kept) < 0.1 * len(data)
    for name in data:
        between = np.interp(time, kept.index, kept[name])
        assert np.abs(between - data[name]).max() <= curves.STRAY * np.ptp(data[name]) + 1e-12


def test_equations_are_mathml_with_whole_words(tiny_sbml):
    groups = equations(tiny_sbml, "tiny")
    assert {k: len(v) for k, v in groups.items()} == {
        "Rates of change": 2, "Reaction rates": 2, "Assignment rules": 1, "Initial values that are computed": 1,
    }  # fmt: skip
    rate = groups["Reaction rates"][0]
    assert rate.id == "on"
    assert "<mfrac>" in groups["Assignment rules"][0].mathml
    assert "<mtext>cell</mtext>" in rate.mathml


def test_a_name_that_ends_in_a_number_is_written_whole(insulin_cascade):
    found = [e for group in equations(insulin_cascade.sbml, "insulin_cascade").values() for e in group]
    text = " ".join(e.mathml for e in found)
    assert "<mtext>AS160</mtext>" in text
    assert "<mtext>AS</mtext>" not in text


def test_equations_of_a_module_are_written_as_in_its_own_model_after_its_name():
    model = mf.load("insulin_resistance")
    found = {e.id: e for e in equations(model.sbml, model.id, model.files.modules())["Reaction rates"]}
    words = re.findall(r"<m(?:text|i|o)>([^<]+)<", found["cascade_degrade_IR"].mathml)
    assert words == [
        "v",
        "cascade_degrade_IR",
        "&#x0003D;",
        "cell",
        "&#x000B7;",
        "cascade:",
        "k",
        "deg_IR",
        "&#x000B7;",
        "cascade:",
        "IR",
    ]


def read(experiment, **more):
    return Reading(**{"statistic": "final", "experiment": experiment, "observable": "Akt_pS473_total"} | more)


STEP, RAISED = "insulin_step_100nM", "t2d_insulin_step_10nM"


@pytest.mark.parametrize(
    ("value", "asks"),
    [
        (read(STEP), lambda *_: (2.0, 3.0)),
        (Comparison(statistic="ratio", of=read(STEP), to=read(RAISED)), lambda _, other: (2 * other, 3 * other)),
        (Comparison(statistic="difference", of=read(STEP), to=read(RAISED)), lambda _, other: (2 + other, 3 + other)),
        (Several(statistic="order", of=(read(STEP), read(RAISED))), None),
        (Several(statistic="largest", of=(read(STEP), read(RAISED))), None),
    ],
    ids=["reading", "ratio", "difference", "order", "largest with a lower bound"],
)
def test_what_an_interval_asks_of_a_curve(insulin_cascade, value, asks):
    runs = insulin_cascade.runs()
    found = list(intervals.demands(value, 2.0, 3.0, runs))
    if asks is None:
        assert found == []
    else:
        wanted = asks(*(evaluate(read(e), runs) for e in (STEP, RAISED)))
        assert [(r, lo, hi) for r, lo, hi in found] == [(read(STEP), *map(pytest.approx, wanted))]


def test_each_of_several_must_keep_a_bound_on_the_worst(insulin_cascade):
    both = Several(statistic="largest", of=(read(STEP), read(RAISED)))
    found = list(intervals.demands(both, None, 3.0, insulin_cascade.runs()))
    assert found == [(read(STEP), None, 3.0), (read(RAISED), None, 3.0)]


def inside(mark):
    where = mark["point"][0 if mark["axis"] in {"time", "dose"} else 1]
    lower, upper = mark["lower"], mark["upper"]
    return (lower is None or where >= lower) and (upper is None or where <= upper)


def marks_agree(model, runs):
    """Return how many marks of a model there are; each lies in its interval as the expectation is judged."""
    drawn = 0
    for expectation in model.expectations.values():
        marks = [m for _, m in intervals.marks(expectation, runs)]
        margin = judge(expectation, runs).margin
        drawn += len(marks)
        # On a bound, rounding decides.
        if marks and all(m["point"] for m in marks) and abs(margin) > 1e-6:
            assert all(map(inside, marks)) == (margin >= 0), expectation.id
    return drawn


def test_what_is_marked_on_a_curve_lies_in_its_interval_if_and_only_if_the_expectation_holds(insulin_cascade):
    assert marks_agree(insulin_cascade, insulin_cascade.runs()) > 20


def test_the_whole_bibliography_is_readable():
    keys = re.findall(r"(?m)^@\w+\{([^,\s]+),", library.bibliography())
    found = references(keys)
    assert {r.key for r in found} == set(keys)
    assert not [r.key for r in found if re.search(r"[\\{}]", r.text)]


def test_a_model_of_ones_own_has_a_page_without_what_it_lacks(own_page):
    tree = html.fromstring(own_page)
    assert tree.xpath("//h1")[0].text == "tiny"
    assert "a rule computes" in tree.xpath("//section[@id='tiny-map']")[0].text_content()
    assert [s.text for s in tree.xpath("//section[@id='tiny-equations']//summary")][:1] == ["Rates of change (2)"]
    assert tree.xpath("//section[@id='tiny-experiments']/p")[0].text == "None."


def test_nothing_is_loaded_from_elsewhere(own_page):
    tree = html.fromstring(own_page)
    assert tree.xpath("//script/@src | //link[@rel='stylesheet']/@href | //img/@src | //iframe") == []
    assert "default-src 'none'" in own_page


def test_text_of_a_model_cannot_become_markup(tmp_path):
    path = tmp_path / "sly.ant"
    path.write_text(
        'model sly()\n S is "<script>alert(1)</script>"; species S = 1; k = 1; k is "</script>"; S -> ; k*S;\nend'
    )
    made = report(mf.load(path))
    assert "<script>alert" not in made
    assert "&lt;script&gt;alert" in made


def test_a_check_of_other_expectations_is_refused(insulin_cascade):
    with pytest.raises(DataError, match="lacks the expectation"):
        page.section(insulin_cascade, {"expectations": []})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not what 'metaflammation check --json' writes"),
        ('{"version": "0.0.0", "models": []}', "written by version 0.0.0"),
        ('{"models": 3}', "is not what"),
    ],
)
def test_a_damaged_or_old_check_is_refused(tmp_path, content, message):
    (tmp_path / "check.json").write_text(content)
    with pytest.raises(DataError, match=message):
        from_json(tmp_path / "check.json")


def test_margins_are_drawn_to_the_right_where_they_hold_and_clipped():
    axes = figures.margins({"a": (0.5, "holds"), "b": (-7.0, "known failure"), "c": (None, "fails")})
    ends = [float(line.get_xdata()[1]) for line in axes.lines[:3]]
    assert ends == [0.5, -figures.WIDEST, -figures.WIDEST]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["holds (1)", "known failure (1)", "fails (1)"]


ROBUST = """expectation\tspread\tsets\tfailed\tholding\tshare\tlower\tupper\tnominal\tbroken_by
F1_uptake_needs_insulin\tbounds\t200\t50\t150\t0.75\t0.68\t0.80\tholds\tk_endo +0.61
F1_uptake_needs_insulin\t2.0\t200\t0\t200\t1\t0.98\t1\tholds\t
law_nothing_negative\tbounds\t0\t200\t0\t\t0\t1\tholds\t
"""


@pytest.fixture
def with_shares(insulin_cascade, monkeypatch):
    """Return a model beside whose expectations stands the file of an ensemble."""
    files = type(insulin_cascade.files)
    has, text = files.has_validation, files.validation_text
    tables = {committed.TABLE: ROBUST, committed.SETTINGS: '{"bounds": {}, "2.0": {}}'}
    monkeypatch.setattr(files, "has_validation", lambda self, name: name in tables or has(self, name))
    monkeypatch.setattr(files, "validation_text", lambda self, name: tables.get(name) or text(self, name))
    return insulin_cascade


def test_the_share_of_parameter_sets_stands_beside_each_expectation_it_is_known_of(with_shares):
    tree = html.fromstring(report(with_shares))
    heads = [b.text for b in tree.xpath("//table[@id='insulin_cascade-x']//th/button")]
    place = heads.index("Robust") + 1
    cells = {
        name: " ".join(tree.xpath(f"//tr[@id='insulin_cascade-x-{name}']/td[{place}]")[0].text_content().split())
        for name in ("F1_uptake_needs_insulin", "law_nothing_negative", "I2_S6K_is_late")
    }
    assert cells == {
        "F1_uptake_needs_insulin": "75 % bounds100 % factor 2.0",
        "law_nothing_negative": "\u2013",
        "I2_S6K_is_late": "\u2013",
    }
    details = tree.xpath("//tr[@id='insulin_cascade-x-F1_uptake_needs_insulin']//dl")[0].text_content()
    assert "75 % of 200 parameter sets with assumed values within their bounds" in details
    assert "80 %); 50 more could not be simulated; broken by k_endo +0.61" in details
    assert "factor of 2.0 (95 % interval 98 to 100 %)\n" in details
    assert "holds in this share of sets" in tree.xpath("//details[@class='forest']")[0].text_content()


def test_without_such_a_file_nothing_is_said_of_it(own_page):
    assert robust.robustness(None) == {}
    assert "parameter sets" not in own_page


# --- In a browser -----------------------------------------------------------------------------------------------------

in_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium with its driver is not installed (see .ci/apt.txt)"),
]
MODEL = "insulin_cascade"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return a browser without a network that shows the report of a model."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report(mf.load(MODEL)), "utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    driver.path = path
    yield driver
    driver.quit()


@pytest.fixture
def shown(browser):
    browser.get(browser.path.as_uri())
    browser.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
    return browser


def column(driver, table, n):
    cells = driver.execute_script(
        "return [...document.getElementById(arguments[0]).tBodies[0].rows].filter(r => !r.hidden)"
        ".map(r => [r.cells[arguments[1]].dataset.v ?? null, r.cells[arguments[1]].textContent])",
        table, n,
    )  # fmt: skip
    return [float(v) if v not in {None, ""} else text for v, text in cells]


def drawn(driver, experiment):
    """Scroll to an experiment, wait for its curves, and return them as uPlot has them."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.execute_script("document.getElementById(arguments[0]).scrollIntoView()", experiment)
    script = "return document.querySelector(`#${arguments[0]} .plot`).uplot?.data.map(a => a.length)"
    return WebDriverWait(driver, 10).until(lambda d: d.execute_script(script, experiment))


def errors(driver):
    return [e["message"] for e in driver.get_log("browser") if e["level"] in {"SEVERE", "WARNING"}]


class TestInBrowser:
    pytestmark = in_browser

    def test_it_opens_without_a_word_in_the_console_and_is_small(self, shown):
        assert shown.title.startswith("Insulin signalling cascade")
        for experiment in mf.load(MODEL).experiments:
            drawn(shown, f"{MODEL}-e-{experiment}")
        assert errors(shown) == []
        assert shown.path.stat().st_size < 5 * MEGABYTE

    def test_every_internal_link_leads_somewhere(self, shown):
        dead = shown.execute_script(
            "return [...document.querySelectorAll('a')]"
            ".map(a => a.getAttribute('href') || a.getAttribute('xlink:href'))"
            ".filter(h => h && h.startsWith('#') && !document.getElementById(decodeURIComponent(h.slice(1))))"
        )
        assert dead == []
        twice = shown.execute_script(
            "const n = {}; document.querySelectorAll('[id]').forEach(e => n[e.id] = (n[e.id] || 0) + 1);"
            "return Object.keys(n).filter(i => n[i] > 1)"
        )
        assert twice == []

    @pytest.mark.parametrize(("table", "n"), [("p", 1), ("x", 4), ("d", 4)], ids=["parameters", "margins", "r2"])
    def test_a_table_sorts_up_and_down_by_number(self, shown, table, n):
        head = f"#{MODEL}-{table} thead th:nth-child({n + 1})"
        button = shown.find_element("css selector", f"{head} button")
        for state, down in (("ascending", False), ("descending", True)):
            shown.execute_script("arguments[0].click()", button)
            numbers = [v for v in column(shown, f"{MODEL}-{table}", n) if isinstance(v, float)]
            assert len(numbers) > 3
            assert numbers == sorted(numbers, reverse=down)
            assert shown.find_element("css selector", head).get_attribute("aria-sort") == state

    def test_headers_sort_from_the_keyboard(self, shown):
        from selenium.webdriver.common.keys import Keys

        button = shown.find_element("css selector", f"#{MODEL}-p thead th:nth-child(1) button")
        button.send_keys(Keys.ENTER)
        names = column(shown, f"{MODEL}-p", 0)
        assert [n.lower() for n in names] == sorted(n.lower() for n in names)

    def test_the_filter_leaves_what_matches_all_words_and_says_how_many(self, shown):
        box = shown.find_element("id", f"{MODEL}-p-filter")
        box.send_keys("assumed GLUT4")
        rows = mf.load(MODEL).parameters
        left = column(shown, f"{MODEL}-p", 3)
        assert 0 < len(left) < len(rows)
        assert set(left) == {"assumed"}
        assert shown.find_element("id", f"{MODEL}-p-count").text == f"{len(left)} of {len(rows)}"

    def test_equations_are_mathematics_to_the_last_element_and_brackets_keep_what_they_hold(self, shown):
        names = shown.execute_script(
            "return [...document.querySelectorAll('math *')].map(e => e.namespaceURI)"
            ".filter(n => n !== 'http://www.w3.org/1998/Math/MathML')"
        )
        assert names == []
        strays = shown.execute_script(
            "return [...document.querySelectorAll('table.equations td')]"
            ".filter(c => c.children.length !== 1 || c.firstElementChild.localName !== 'math').length"
        )
        assert strays == 0
        shown.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
        text = shown.execute_script(
            "const row = [...document.querySelectorAll('table.equations tr')]"
            ".find(r => r.cells[0].textContent === 'binding of insulin to its receptor');"
            "const box = row.querySelector('math').getBoundingClientRect();"
            "return [row.cells[1].textContent.replace(/\\s/g, ''), box.width, box.height]"
        )
        assert text[0] == "vbind_insulin=cell·(kon·fpotency_assay·fpotency_in_vivo·insulin·IR\u2212koff·IRins)"
        assert min(text[1:]) > 10

    def test_the_interval_of_an_expectation_is_drawn_on_its_curve(self, shown):
        experiment, name = f"{MODEL}-e-insulin_step_100nM", "F1_uptake_needs_insulin"
        drawn(shown, experiment)
        shown.execute_script(
            f"const s = document.querySelector('#{experiment} select.interval'); s.value = '{name}';"
            "s.dispatchEvent(new Event('change'))"
        )
        model = mf.load(MODEL)
        _, mark = next(intervals.marks(model.expectations[name], model.runs()))
        scale = shown.execute_script(
            f"const u = document.querySelector('#{experiment} .plot').uplot.scales.y; return [u.min, u.max]"
        )
        assert scale[0] <= mark["lower"] <= mark["point"][1] <= scale[1]
        assert shown.find_element("css selector", f"#{experiment} .read").text.startswith(f"Read here: {name} ")

    def test_curves_follow_the_choice(self, shown):
        experiment = f"{MODEL}-e-insulin_dose_response_10min"
        points = drawn(shown, experiment)
        assert points[0] > 2
        select = f"document.querySelector('#{experiment} select')"
        choose = f"const s = {select}; s.value = arguments[0]; s.dispatchEvent(new Event('change'))"
        label = f"return document.querySelector('#{experiment} .plot').getAttribute('aria-label')"
        before = shown.execute_script(label)
        over_time = shown.execute_script(
            f"return [...{select}.options].map(o => o.value).find(v => v.startsWith('t:'))"
        )
        shown.execute_script(choose, over_time)
        after = shown.execute_script(label)
        assert "values at the end" in before
        assert "over time (min)" in after

    def test_measured_points_lie_on_their_curve(self, shown):
        loaded = mf.load(MODEL)
        data = curves.measured(loaded, loaded.runs())
        name, sets = next((e, d) for e, d in data.items() if any(x["kind"] == "time" for x in d))
        chosen = next(x for x in sets if x["kind"] == "time")
        experiment = f"{MODEL}-e-{name}"
        drawn(shown, experiment)
        shown.execute_script(
            "const s = document.querySelector(`#${arguments[0]} select`); s.value = `m:${arguments[1]}`;"
            "s.dispatchEvent(new Event('change'))",
            experiment, chosen["id"],
        )  # fmt: skip
        scale = shown.execute_script(
            "const u = document.querySelector(`#${arguments[0]} .plot`).uplot;"
            "return [u.scales.y.min, u.scales.y.max, u.scales.x.max]",
            experiment,
        )
        assert scale[0] <= min(m - s for _, m, s in chosen["points"])
        assert scale[1] >= max(m + s for _, m, s in chosen["points"])
        assert scale[2] >= max(x for x, _, _ in chosen["points"])

    def test_the_legend_shows_values_under_the_pointer_and_hides_a_curve_by_key(self, shown):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        experiment = f"{MODEL}-e-insulin_step_10nM"
        drawn(shown, experiment)
        ActionChains(shown).move_to_element(shown.find_element("css selector", f"#{experiment} .u-over")).perform()
        value = f"#{experiment} .u-legend .u-series:nth-child(2) .u-value"
        assert float(shown.find_element("css selector", value).text) > 0
        row = shown.find_element("css selector", f"#{experiment} .u-legend .u-series:nth-child(2)")
        row.find_element("css selector", "th").send_keys(Keys.ENTER)
        assert "u-off" in row.get_attribute("class")

    def test_a_link_from_an_expectation_shows_its_curve(self, shown):
        found = shown.execute_script(
            "const a = [...document.querySelectorAll('a[data-observable]')].find(a => {"
            "  const s = document.getElementById(a.hash.slice(1)).querySelector('select');"
            "  return s.value !== `t:${a.dataset.observable}` });"
            "a.click(); const s = document.getElementById(a.hash.slice(1)).querySelector('select');"
            "return [s.value, `t:${a.dataset.observable}`]"
        )
        assert found[0] == found[1]

    def test_nothing_is_wider_than_a_narrow_screen(self, shown):
        shown.set_window_size(500, 900)
        try:
            wide, screen = shown.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        finally:
            shown.set_window_size(1280, 1000)
        assert wide <= screen

    def test_on_paper_everything_is_open_and_drawn(self, shown):
        shown.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
        assert shown.execute_script("return [...document.querySelectorAll('details')].every(d => d.open)")
        assert shown.execute_script(
            "return [...document.querySelectorAll('.plot')].every(p => p.querySelector('canvas'))"
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", [m for m in library.catalogue() if library.find(m).has_validation("experiments.yaml")]
)
def test_the_report_of_every_model_is_small_and_complete(model):
    loaded = mf.load(model)
    runs = loaded.runs()
    made = report(loaded, bench=runs)
    assert len(made.encode()) < 5 * MEGABYTE
    tree = html.fromstring(made)
    assert len(tree.xpath(f"//table[@id='{model}-x']/tbody/tr")) == len(loaded.expectations)
    assert len(tree.xpath("//section[contains(@class, 'experiment')]")) == len(loaded.experiments)
    held = json.loads(tree.xpath(f"//script[@id='{model}-curves']")[0].text)
    assert {e["id"] for e in held["experiments"]} == set(loaded.experiments)
    assert marks_agree(loaded, runs) > 0
    assert all(np.isfinite(v) for e in held["experiments"] for r in e["runs"] for y in r["y"].values() for v in y)
