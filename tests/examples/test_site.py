"""The documentation site: it builds without a warning, describes every public name, and is whole in Chromium."""

import functools
import html.parser
import http.server
import importlib.util
import inspect
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

pytestmark = [pytest.mark.once, pytest.mark.browser]

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 60  # On a busy machine, a page takes that long to be ready.


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.fail('These tests need mkdocs. It is not installed. Run `pip install -e ".[docs]"`.')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    done = subprocess.run(
        [*command, "-f", ROOT / "examples" / "site" / "mkdocs.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


class Page(html.parser.HTMLParser):
    """The anchors, links and text of a page, and what a browser loads for it."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded, self.text = {""}, set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes.get("id", ""), attributes.get("name", "")}
        if tag == "a" and "href" in attributes:
            self.links.add(attributes["href"])
        elif tag != "a":
            is_hint = attributes.get("rel") in ("canonical", "prev", "next")
            self.loaded |= {value for name, value in attrs if name in ("src", "href") and not is_hint}

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_public_name_has_a_page(site, pages):
    folders = sorted(path.parent.name for path in (ROOT / "keras_hrnet").glob("*/__init__.py"))
    for module in map(importlib.import_module, ["keras_hrnet", *(f"keras_hrnet.{folder}" for folder in folders)]):
        names = set(getattr(module, "__all__", ())) - {"__version__"}
        values = {name: getattr(module, name) for name in names}
        values = {name: value for name, value in values.items() if not inspect.ismodule(value)}
        index = site / "reference" / module.__name__ / "index.html"
        for name, value in values.items():
            is_code = inspect.isclass(value) or inspect.isfunction(value)
            page = f"{value.__name__ if is_code else name}.html"  # A second name of a class leads to its page.
            (link,) = {x for x in listed_links(index) if x.rpartition("/")[2] == page}
            text = " ".join(pages[(index.parent / link).resolve()].text.split())
            described = (inspect.getdoc(value) or "") if is_code else name
            assert " ".join(described.partition("\n")[0].partition("`")[0].split()[:4]) in text, name


@functools.cache
def listed_links(index):
    """Returns the links of a page without those of its navigation."""
    article = index.read_text(encoding="utf-8").partition("<article")[2].partition("</article")[0]
    return Page(article).links


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_another_host(site, pages):
    for path, page in pages.items():
        if path.name == "404.html":  # Its links begin with the address of the site.
            continue
        assert not {x for x in page.loaded if "://" in x or x.startswith("//")}, path
        for link in page.links | page.loaded:
            address, _, anchor = link.partition("#")
            if ":" in address or "?" in address:
                continue
            target = (path.parent / urllib.parse.unquote(address)).resolve() if address else path
            assert target.is_file(), (path, link)
            if target.suffix == ".html":
                assert urllib.parse.unquote(anchor) in pages[target].anchors, (path, link)


@pytest.fixture
def open_page(driver, site):
    """Returns a function that opens a page in a width and a color scheme."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"

    def open_page(page, width=1280, scheme="light"):
        driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get_log("performance")
        driver.get(address + page)
        wait(lambda: driver.execute_script("return document.documentElement.classList.contains('js')"))
        return driver

    yield open_page
    driver.get("about:blank")
    server.shutdown()
    server.server_close()


def wait(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


PAGES = ("index.html", "guides/migrating.html", "guides/quickstart.ko.html", "reference/keras_hrnet/HRNetW48.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_a_phone_in_both_schemes_and_asks_no_other_host(page, scheme, open_page):
    driver = open_page(page, width=360, scheme=scheme)
    expected = {"light": "default", "dark": "slate"}[scheme]
    wait(lambda: driver.execute_script("return document.body.dataset.mdColorScheme") == expected)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
    assert not [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    requests = [x["params"]["request"]["url"] for x in events if x["method"] == "Network.requestWillBeSent"]
    assert requests
    assert all(url.startswith(("http://127.0.0.1:", "data:", "about:", "blob:")) for url in requests), requests


@pytest.mark.parametrize(("words", "found"), [("FuseLayer", "FuseLayer.html"), ("양자화", "quickstart.ko.html")])
def test_the_search_finds_a_page(words, found, open_page):
    driver = open_page("index.html")
    driver.execute_script("document.querySelector('[data-md-toggle=search]').click()")
    driver.find_element("css selector", ".md-search__input").send_keys(words)
    links = "return [...document.querySelectorAll('.md-search-result__link')].map((link) => link.href)"
    wait(lambda: any(found in link for link in driver.execute_script(links)))
