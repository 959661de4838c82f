"""The page as Chromium shows it: without a network, by keyboard alone, in both themes, on narrow screens."""

import json

import pytest

pytestmark = [pytest.mark.once, pytest.mark.browser]

LEAST_CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3
# The contrast of every text that takes up room with the first opaque background behind it, by the formula of WCAG 2.2.
CONTRASTS = """
const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
function rgba(color) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
}
function luminance(color) {
  const [r, g, b] = color.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function background(element) {
  for (let e = element; e; e = e.parentElement) {
    const color = rgba(getComputedStyle(e).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255, 255];
}
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const ink = rgba(element.closest("svg") ? style.fill : style.color);
  const [x, y] = [luminance(ink), luminance(background(element))];
  const contrast = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  found.push([ink[3] === 255 ? contrast : 0, walker.currentNode.data.trim(), element.className.toString()]);
}
return found;
"""


@pytest.fixture
def page(driver, written):
    """The driver with a page of all parts open, light and 1280 pixels wide."""
    emulate(driver, "light")
    resize(driver, 1280)
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(written.as_uri())
    return driver


def emulate(driver, theme):
    features = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def resize(driver, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def press(driver, *keys):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver, duration=0).send_keys(*keys).perform()


def tab_to(driver, selector):
    """Presses Tab until what has the focus matches; returns how often."""
    for count in range(200):
        if driver.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return count
        press(driver, key("TAB"))
    pytest.fail(f"Tab does not reach {selector}.")


def key(name):
    from selenium.webdriver.common.keys import Keys

    return getattr(Keys, name)


def seen(driver, selector):
    """What is seen of an element, as a screenshot: PNG in base64."""
    box = """
    const box = document.querySelector(arguments[0]).getBoundingClientRect();
    return {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height, scale: 1};
    """
    # Selenium's screenshot of an element takes ten seconds at first, for it waits for scrolling.
    options = {"clip": driver.execute_script(box, selector), "captureBeyondViewport": True}
    return driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]


def first_column(driver):
    return driver.execute_script(
        "return [...document.querySelectorAll('#classes tbody tr')].map(row => row.cells[0].textContent)"
    )


def test_the_console_stays_empty_and_nothing_is_requested(page, written):
    assert page.get_log("browser") == []
    entries = page.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in entries if not name.startswith("data:")] == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert {url for url in urls if not url.startswith(("data:", "about:"))} == {written.as_uri()}


def test_the_policy_of_the_page_forbids_what_it_does_not_hold(page):
    blocked = """
    const done = arguments[0];
    document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective), {once: true});
    document.body.append(Object.assign(new Image(), {src: "https://localhost/picture.png"}));
    """
    assert page.execute_async_script(blocked) == "img-src"
    page.get_log("browser")


def test_all_pictures_are_shown(page):
    images = page.execute_script(
        "return [...document.images].map(image => [image.complete, image.naturalWidth, image.naturalHeight])"
    )
    assert images == [[True, 192, 96]] * 16


def test_all_that_can_be_used_is_reached_by_tab_and_seen_to_be(page):
    usable = """
    window.usable = [...document.querySelectorAll("a[href], button, summary, [type=range], :checked, [tabindex='0']")]
      .filter(element => element.checkVisibility());
    return window.usable.length;
    """
    where = """
    const element = document.activeElement;
    const styles = [element, element.nextElementSibling, element.parentElement].filter(Boolean).map(getComputedStyle);
    const isSeen = styles.some(style => style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2);
    return [window.usable.indexOf(element), isSeen];
    """
    count = page.execute_script(usable)
    reached = set()
    for _ in range(count):
        press(page, key("TAB"))
        index, is_seen = page.execute_script(where)
        assert is_seen, page.execute_script("return document.activeElement.outerHTML.slice(0, 200)")
        reached.add(index)
    assert reached == set(range(count))


def test_the_slider_is_reached_by_tab_and_moved_by_an_arrow(page):
    before = seen(page, ".frame")
    assert tab_to(page, ".frame input[type=range]") > 5
    assert page.execute_script("return getComputedStyle(document.activeElement.parentElement).outlineStyle") == "solid"
    focused = seen(page, ".frame")
    press(page, *[key("ARROW_RIGHT")] * 5)
    assert page.execute_script("return document.activeElement.value") == "55"
    after = seen(page, ".frame")
    assert after not in (before, focused)
    press(page, key("END"))
    assert page.execute_script("return getComputedStyle(document.querySelector('.prediction')).clipPath") in (
        "inset(0px 0px 0px 100%)",
        "inset(0 0 0 100%)",
    )


def test_each_view_shows_another_picture_and_arrows_choose_it(page):
    tab_to(page, ".example input[type=radio]")
    shown = []
    for view in ("compare", "overlay", "prediction", "truth", "errors"):
        assert page.execute_script("return document.activeElement.value") == view
        shown.append(seen(page, ".frame"))
        press(page, key("ARROW_RIGHT"))
    assert len(set(shown)) == 5
    assert page.execute_script("return document.activeElement.value") == "compare"


def test_the_cells_of_the_confusion_matrix_say_percent_or_pixels(page):
    text = "return document.querySelector('.heat tbody td').innerText"
    percent = page.execute_script(text)
    assert percent.replace(".", "").isdigit()
    tab_to(page, "#confusion input")
    press(page, key("ARROW_RIGHT"))
    assert page.execute_script(text).endswith("k")


def test_a_header_sorts_the_classes_by_keyboard_and_says_how(page):
    start = first_column(page)
    tab_to(page, "#classes th:nth-child(2) button")
    press(page, key("ENTER"))
    scores = """return [...document.querySelectorAll('#classes tbody tr')].map(row => row.cells[1].dataset.value)"""
    values = page.execute_script(scores)
    numbers = [float(value) for value in values if value]
    assert numbers == sorted(numbers)
    assert values[-2:] == ["", ""]
    sort = "return [...document.querySelectorAll('#classes thead th')].map(th => th.ariaSort)"
    assert page.execute_script(sort) == ["none", "ascending", "none", "none"]
    press(page, " ")
    values = page.execute_script(scores)
    assert [float(value) for value in values if value] == numbers[::-1]
    assert values[-2:] == ["", ""]
    assert page.execute_script(sort) == ["none", "descending", "none", "none"]
    tab_to(page, "#classes th:nth-child(3) button")
    page.execute_script("document.querySelector('#classes th button').focus()")
    press(page, key("ENTER"))
    assert first_column(page) == sorted(start)


def test_the_button_changes_the_theme_and_back(page):
    color = "return getComputedStyle(document.body).backgroundColor"
    light = page.execute_script(color)
    tab_to(page, "#theme")
    assert page.execute_script("return document.activeElement.innerText") == "Dark colors"
    press(page, key("ENTER"))
    dark = page.execute_script(color)
    assert dark != light
    assert page.execute_script("return document.activeElement.innerText") == "Light colors"
    press(page, key("ENTER"))
    assert page.execute_script(color) == light
    emulate(page, "dark")
    assert page.execute_script(color) == light  # what was chosen stays


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["compare", "errors"])
def test_every_text_stands_out_from_its_background(page, theme, view):
    emulate(page, theme)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    page.execute_script(f"for (const r of document.querySelectorAll('[value={view}]')) r.click()")
    found = page.execute_script(CONTRASTS)
    assert len(found) > 500
    assert [text for text in found if text[0] < LEAST_CONTRAST] == []


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_the_page_does_not_scroll_sideways(page, width):
    resize(page, width)
    sizes = "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
    scroll, client = page.execute_script(sizes)
    assert scroll <= client <= width
    assert page.execute_script("return innerWidth") == width


def test_without_scripts_pictures_and_tables_are_there(page, written):
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.get(written.as_uri())
        compare = seen(page, ".frame")
        assert page.execute_script("return document.getElementById('theme').getClientRects().length") == 0
        tab_to(page, ".example input[type=radio]")
        press(page, key("ARROW_RIGHT"))
        assert seen(page, ".frame") != compare
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_names_with_markup_run_nothing(driver, make_report, tmp_path):
    from keras_hrnet.data_sets.cityscapes import CLASS_NAMES
    from keras_hrnet.evaluation.html import write_html

    evil = "<img/src=x/onerror=\"document.title='run'\"><script>document.title='run'</script>" + 60 * "x"
    path = write_html(make_report(class_names=(evil, *CLASS_NAMES[1:])), tmp_path / "evil.html", title="safe")
    driver.get(path.as_uri())
    assert driver.title == "safe"
    assert evil in first_column(driver)
    resize(driver, 360)
    assert driver.execute_script("return document.documentElement.scrollWidth <= 360")
