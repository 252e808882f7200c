"""The page of a report in headless Chromium: ``tox -e browser``.

Each test is skipped, with its reason, where there is no Chromium.  Screenshots and a print stand in
the folder that ``LAMBDA_LIFECYCLE_SCREENSHOTS`` names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is on PATH"),
    pytest.mark.leaks,  # the browser's driver has an event loop and a thread
]
HOSTILE = "</script><script>document.title = 'hacked'</script><img src=x onerror=alert(1)>"
APP = f"""
import threading, time, logging
print({HOSTILE!r})
def handler(event, context):
    logging.warning({HOSTILE!r})
    if event.get("leak"): threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
    if event.get("sleep"): time.sleep(event["sleep"])
    if event.get("fail"): raise ValueError({HOSTILE!r})
    return {{"html": {HOSTILE!r}}}
"""
SUITE = f"""
import pytest
@pytest.mark.parametrize("name", [{HOSTILE!r}])
def test_hostile(lambda_lifecycle, name):
    env = lambda_lifecycle("app.handler")
    env.invoke({{"leak": True}})
    env.reset()
    env.invoke({{"fail": True}})
def test_clock(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler", timeout=9)
    env.invoke({{"sleep": 2}})
    env.idle(hours=3)
    env.invoke({{"sleep": 0.2}})
@pytest.mark.parametrize("number", range(8))
def test_many(lambda_lifecycle, number):
    lambda_lifecycle("app.handler").invoke({{}})
"""
CONTRAST = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!own || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const svg = node.tagName === "text";
    const shape = svg && node.closest("g")?.querySelector(".shape");
    const back = shape ? parse(getComputedStyle(shape).fill) : behind(node);
    const [one, other] = [light(parse(svg ? style.fill : style.color)), light(back)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) found.push([node.tagName, node.textContent.slice(0, 40), ratio]);
  }
  return found;
}
"""


def write_report(folder: Path, suite: str) -> Path:
    """Run a suite in a process of its own, and return its page."""
    (folder / "app.py").write_text(APP)
    (folder / "test_app.py").write_text(suite)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--lambda-lifecycle-report=run.html",
    ]
    subprocess.run([sys.executable, "-m", "pytest", *options], cwd=folder, check=False)
    return folder / "run.html"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("suite"), SUITE)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open a page, which asks for nothing else, says nothing on its console and pops nothing up."""
    said, asked, contexts = [], [], []

    def open_page(path, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 600
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert asked == [path.as_uri()]
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert len(asked) == len(contexts)


def shoot(page, name):
    folder = os.environ.get("LAMBDA_LIFECYCLE_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def opened(page):
    """Open the first two tests, and their lines as text."""
    for row in page.locator(".row").all()[:2]:
        row.click()
    for more in page.locator("summary").all():
        more.click()
    return page


def test_hostile_text_is_shown_and_does_nothing(open_page, report):
    page = opened(open_page(report))
    assert page.title().startswith("Lambda lifecycle: suite")
    assert page.evaluate("document.scripts.length") == 2
    assert page.locator("img, a, iframe").count() == 0
    assert "onerror=alert(1)>" in page.locator("#tests > li").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_contrast_and_width(open_page, report, scheme, width):
    page = opened(open_page(report, width, scheme))
    shoot(page, f"{scheme}-{width}")
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_colours_of_the_reader_go_before_those_of_the_system(open_page, report):
    page = open_page(report)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("#theme").click()
    assert page.evaluate(background) != light
    page.locator("#theme").click()
    assert page.evaluate(background) == light


def test_keys_reach_each_detail(open_page, report):
    page = open_page(report)
    for _ in range(60):  # over the head of the page and the filters
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "row":
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.tagName") != "g":
        page.keyboard.press("Tab")  # the stretch that scrolls
    detail = page.locator(".detail").first
    seen = [detail.inner_text()]
    assert seen[0].startswith("Init: success")
    assert "why: the environment is new" in seen[0]
    for _ in range(200):
        page.keyboard.press("ArrowRight")
        if detail.inner_text() == seen[-1]:
            break
        seen.append(detail.inner_text())
    text = "\n".join(seen)
    for expected in (
        "function init: app.handler",
        "left running",
        "reset",
        "ValueError",
        "log, at",
    ):
        assert expected in text
    page.keyboard.press("Home")
    assert detail.inner_text() == seen[0]


def test_pointing_shows_details(open_page, report):
    page = opened(open_page(report))
    clock = page.locator("#tests > li").nth(1)
    assert "idle 3 h" in clock.locator(".scroll > svg").text_content()
    clock.locator("g").last.hover()
    assert clock.locator(".detail").inner_text().startswith("Shutdown: success")


def test_filters(open_page, report):
    page = open_page(report)
    shown = page.locator("#shown")
    assert shown.inner_text() == "10 of 10 tests"
    page.locator("#f-text").fill("many")
    assert shown.inner_text() == "8 of 10 tests"
    page.locator("#f-text").fill("")
    page.locator("#f-failed").check()
    assert shown.inner_text() == "1 of 10 tests"
    page.locator("#f-failed").uncheck()
    page.locator("#f-leaks").check()
    assert shown.inner_text() == "1 of 10 tests"
    page.locator("#f-leaks").uncheck()
    page.locator("#f-phase").select_option("restore")
    assert shown.inner_text() == "0 of 10 tests"
    page.locator("#f-phase").select_option("")
    page.locator("#f-order").select_option("init")
    page.locator("#highlights button").first.click()
    assert page.locator(".panel").count() == 1


def test_print(open_page, report, tmp_path):
    page = opened(open_page(report))
    page.emulate_media(media="print")
    shoot(page, "print")
    assert not page.locator("#filters").is_visible()
    assert page.locator(".scroll > svg").first.is_visible()
    folder = Path(os.environ.get("LAMBDA_LIFECYCLE_SCREENSHOTS") or tmp_path)
    page.pdf(path=folder / "print.pdf")


def test_a_thousand_tests_with_ten_thousand_phases(open_page, tmp_path):
    suite = """
import pytest
@pytest.mark.parametrize("number", range(1000))
def test_it(lambda_lifecycle, number):
    env = lambda_lifecycle("app.handler")
    for _ in range(8): env.invoke({})
"""
    path = write_report(tmp_path, suite)
    assert path.stat().st_size < 10_000_000
    page = open_page(path)
    assert page.locator(".row").count() == 1000
    timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    print(f"{path.stat().st_size / 1e6:.1f} MB, open after {page.evaluate(timing):.0f} ms")
    frames = page.evaluate(
        """() => new Promise((done) => {
            const times = []; let last = performance.now(), y = 0;
            const step = (now) => {
              times.push(now - last); last = now; y += 400; scrollTo(0, y);
              times.length < 90 ? requestAnimationFrame(step) : done(times);
            };
            requestAnimationFrame(step);
        })"""
    )
    print(f"the slowest of 90 frames while scrolling: {max(frames):.0f} ms")
