"""The page as text: its numbers, its pictures, and what it leaves out."""

import base64
import dataclasses
import html.parser
import io
import itertools
import os
import pathlib
import re
import tempfile
import types

import numpy as np
import PIL.Image
import pytest

from keras_hrnet.data_sets import palette
from keras_hrnet.data_sets.cityscapes import CLASS_NAMES, PALETTE
from keras_hrnet.evaluation.boundary import BoundaryCounts
from keras_hrnet.evaluation.html import write_html
from keras_hrnet.evaluation.html.confusion import largest_confusions, level
from keras_hrnet.evaluation.html.encoding import errors_uri, labels_uri, photo_uri
from keras_hrnet.evaluation.report import EvaluationReport, Example

pytestmark = pytest.mark.once

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(html.parser.HTMLParser):
    """Checks that elements nest, and keeps them with their attributes, and the text outside of style and script."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script") and data.strip():
            self.texts.append(data.strip())

    def all(self, tag, **attributes):
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]

    @property
    def text(self):
        return " ".join(self.texts)


def page_of(path):
    return Page(path.read_text(encoding="utf-8"))


def picture(uri):
    head, _, data = uri.partition(",")
    return head, PIL.Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def write(report, **arguments):
    """The text of a report's page, which is never left on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        return write_html(report, pathlib.Path(folder) / "report.html", **arguments).read_text(encoding="utf-8")


def test_the_headline_numbers_are_those_of_the_report(make_report, tmp_path):
    report = make_report()
    text = page_of(write_html(report, tmp_path / "report.html")).text
    numbers = (report.mean_iou, report.pixel_accuracy, report.frequency_weighted_iou, report.mean_boundary_iou)
    names = ("Mean IoU", "Pixel accuracy", "Frequency-weighted IoU", "Mean boundary IoU")
    for name, number in zip(names, numbers, strict=True):
        assert f"{name} {100 * number:.2f} %" in text
    assert "Time per image 0.25 s" in text
    assert "of 17 of 19 classes" in text
    assert "Images 6 " in text
    assert f"Protocol: {report.protocol}." in text


def test_the_table_of_classes_has_the_scores_of_the_report(make_report, tmp_path):
    report = make_report()
    text = write_html(report, tmp_path / "report.html").read_text(encoding="utf-8")
    pixels = report.confusion.sum(axis=1)
    for i, name in enumerate(CLASS_NAMES):
        row = re.search(rf'<tr><th scope="row" data-value="{name}">.*?</tr>', text).group()
        shown = re.findall(r'data-value="([^"]*)"><div class="measure"><span>([^<]*)</span>', row)
        expected = [report.iou[i], report.boundary_iou[i], pixels[i] / pixels.sum()]
        for (value, words), number, digits in zip(shown, expected, (2, 2, 3), strict=True):
            assert (value, words) == (
                ("", "–") if np.isnan(number) else (f"{number:.9g}", f"{100 * number:.{digits}f}")
            )


def test_classes_without_a_pixel_in_the_labels_are_named(tmp_path):
    confusion = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]])
    report = EvaluationReport(confusion, ("road", "<b>", "train"), 1, 0.25)
    text = page_of(write_html(report, tmp_path / "report.html")).text
    assert "Classes without a pixel in the labels: <b>, train. Predicted nevertheless" in text
    confusion[1, 1] = confusion[2, 2] = 1
    report = EvaluationReport(confusion, ("road", "<b>", "train"), 1, 0.25)
    assert "without a pixel in the labels" not in page_of(write_html(report, tmp_path / "report.html")).text


def test_bars_are_as_long_as_the_scores(make_report, tmp_path):
    report = make_report()
    page = page_of(write_html(report, tmp_path / "report.html"))
    lengths = [rect["width"] for rect in page.all("rect", **{"class": "iou"})]
    present = report.iou[~np.isnan(report.iou)]
    groups = [iou for iou in report.category_iou.values() if not np.isnan(iou)]
    assert lengths == [f"{100 * share:.2f}%" for share in (*present, report.mean_iou, *groups)]


def test_groups_of_classes_have_their_scores(make_report, tmp_path):
    report = make_report()
    text = page_of(write_html(report, tmp_path / "report.html")).text
    for name, iou in report.category_iou.items():
        assert f"{name} {100 * iou:.2f}" in text


def test_published_scores_stand_beside_the_measured_one(written):
    page = page_of(written)
    assert "cityscapes 80.9 mIoU, val README.md" in page.text
    assert "other not stated paper" in page.text
    assert "measured: 6 images; scales 0.5, 1" in page.text
    assert "No published score" not in page.text
    links = [link["href"] for link in page.all("a") if not link["href"].startswith("#")]
    assert links == ["https://example.org/networks?a=1&b=2"]


def test_without_published_scores_the_page_says_so(make_report, tmp_path):
    page = page_of(write_html(make_report(), tmp_path / "report.html"))
    assert "No published score is known for this network." in page.text


def test_nothing_is_loaded_from_elsewhere(written):
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"].startswith(
        "default-src 'none'; img-src data:; style-src 'sha256-"
    )
    for tag, attributes in page.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:").startswith("data:")
        assert tag in ("a", "link") or "href" not in attributes
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert re.findall(r"(?:url\(|@import|fetch\(|https?:)", re.sub(r'<a href="https?:', "", text)) == []


def test_names_are_text_and_never_markup(make_report, tmp_path):
    evil = '<script>alert("1")</script>'
    report = make_report()
    names = (evil, *CLASS_NAMES[1:])
    examples = (dataclasses.replace(report.examples[0], name=f"{evil}'&"),)
    report = make_report(
        class_names=names, network=evil, examples=examples, image_names=(evil, *report.image_names[1:])
    )
    row = types.SimpleNamespace(name=evil, score=evil, source=evil, page=f"https://example.org/{evil}")
    path = write_html(report, tmp_path / "report.html", published=[row])
    text = path.read_text(encoding="utf-8")
    assert evil not in text
    page = Page(text)
    assert len(page.all("script")) == 1
    assert f"{evil}: evaluation" in page.texts
    assert any(f"truth {evil}, predicted as {evil}" in cell.get("title", "") for cell in page.all("td"))
    assert f"Photo of {evil}'&" in [image["alt"] for image in page.all("img")]


def test_every_cell_of_the_confusion_matrix_says_what_it_counts():
    confusion = np.array([[96, 4], [0, 0]])
    text = write(EvaluationReport(confusion, ("rider", "person"), 1, 0.0))
    assert 'aria-label="truth rider, predicted as person: 4.0 %, 4 pixels"' in text
    assert 'title="truth rider, predicted as rider: 96.0 %, 96 pixels"' in text
    assert text.count('title="truth person: no pixels"') == 2
    assert "<b>4.0 %</b> of rider is predicted as person" in text


def test_the_largest_confusions_come_first_and_rare_ones_are_left_out():
    confusion = np.array([[50, 50, 0], [1, 98, 1], [1, 0, 999_999]])
    assert largest_confusions(confusion) == [(0, 1, 0.5, 50), (1, 0, 0.01, 1), (1, 2, 0.01, 1)]
    assert "No class is confused with another." in write(EvaluationReport(np.eye(2, dtype=int), ("a", "b"), 1, 0.0))


@pytest.mark.parametrize(
    ("share", "is_right", "expected"),
    [
        (1.0, True, "right level-10"),
        (0.3, True, "right level-3"),
        (0.04, False, "wrong level-2"),
        (1e-9, True, "right level-1"),
    ],
)
def test_cells_are_the_stronger_the_more_they_hold(share, is_right, expected):
    assert level(share, is_right) == expected


def test_many_classes_show_those_that_are_confused_most():
    confusion = 100 * np.eye(150, dtype=np.int64)
    confusion[np.arange(100, 130), np.arange(101, 131)] = 50
    text = write(EvaluationReport(confusion, tuple(f"class {i}" for i in range(150)), 1, 0.0))
    page = Page(text)
    assert len([cell for cell in page.all("td") if "title" in cell]) == 40 * 40
    assert "Of 150 classes, the 40 that are confused most often are shown." in page.text
    assert "33.3 % of class 100 is predicted as class 101" in page.text
    assert len(text) < 1_000_000


def test_pictures_have_the_size_and_the_colors_of_the_example(make_report, tmp_path):
    report = make_report()
    page = page_of(write_html(report, tmp_path / "report.html"))
    images = page.all("img")
    assert len(images) == 4 * len(report.examples)
    for image in images:
        head, shown = picture(image["src"])
        assert head == f"data:image/{'jpeg' if image['class'] == 'photo' else 'png'};base64"
        assert shown.size == (192, 96) == (int(image["width"]), int(image["height"]))
    shown = picture(page.all("img", **{"class": "prediction"})[0]["src"])[1]
    assert shown.mode == "P"
    colors = np.array(PALETTE)[report.examples[0].prediction]
    np.testing.assert_array_equal(np.asarray(shown.convert("RGB")), colors)


def test_wide_pictures_are_reduced_and_labels_keep_their_colors():
    labels = np.random.default_rng(0).integers(0, 19, (500, 2048), dtype=np.uint8)
    head, shown = picture(labels_uri(labels, PALETTE))
    assert (head, shown.size) == ("data:image/png;base64", (1024, 250))
    assert {color for _, color in shown.convert("RGB").getcolors(1 << 20)} == set(PALETTE)
    head, shown = picture(photo_uri(np.full((500, 2048, 3), 99, np.uint8)))
    assert (head, shown.size) == ("data:image/jpeg;base64", (1024, 250))
    assert shown.getpixel((500, 100)) == (99, 99, 99)


def test_errors_are_orange_ignored_pixels_gray_and_right_ones_clear():
    truth, prediction = np.array([[3, 3, 255]], np.uint8), np.array([[3, 4, 4]], np.uint8)
    shown = np.asarray(picture(errors_uri(truth, prediction))[1].convert("RGBA"))
    assert shown[0, 0, 3] == 0
    assert shown[0, 1:].tolist() == [[255, 106, 0, 255], [150, 150, 150, 255]]


def test_thin_errors_stay_when_pictures_are_reduced():
    truth = np.zeros((64, 2048), np.uint8)
    prediction = truth.copy()
    prediction[:, 101] = 1
    shown = np.asarray(picture(errors_uri(truth, prediction))[1].convert("RGBA"))
    # Half of each shown pixel in that column is wrong.
    assert np.unique(shown[:, 50], axis=0).tolist() == [[255, 106, 0, 127]]
    assert not shown[:, [49, 51], 3].any()


def test_examples_say_their_score_their_rank_and_how_much_is_wrong(make_report, tmp_path):
    report = make_report()
    text = page_of(write_html(report, tmp_path / "report.html")).text
    example = report.examples[2]
    counted = example.truth != 255
    wrong = np.mean(example.truth[counted] != example.prediction[counted])
    expected = f"80.00 % mean IoU · no. 4 of 5 images, worst first · {100 * wrong:.2f} % of its pixels wrong"
    assert f"{example.name} {expected}" in text


def test_an_example_whose_pixels_are_all_ignored_has_no_share_of_wrong_ones(make_report, tmp_path):
    labels = np.full((8, 8), 255, np.uint8)
    example = Example("dark", float("nan"), np.zeros((8, 8, 3), np.uint8), labels, np.zeros_like(labels))
    text = page_of(write_html(make_report(examples=(example,)), tmp_path / "report.html")).text
    assert "dark – % mean IoU" in text
    assert "– % of its pixels wrong" in text


def test_the_histogram_counts_the_images(written):
    page = page_of(written)
    [chart] = page.all("svg", **{"class": "histogram"})
    assert chart["aria-label"] == "Histogram of the mean IoU of 5 images, in steps of 5 percent; median 55.00 percent"
    assert "80 to 85 %: 1 image" in page.texts
    assert "Median 55.00 %, lowest 10.00 % (town_000000), highest 90.00 % (town_000003)." in page.text
    assert "1 image without counted pixels: –." in page.text
    assert "town_000005 –" in page.text


def test_images_without_a_counted_pixel_and_boundaries_without_a_class_are_dashes(make_report, tmp_path):
    nothing = BoundaryCounts(0.005, np.zeros((3, 19), int))
    report = make_report(image_scores=np.full(6, np.nan), boundary=nothing, seconds_per_image=float("nan"))
    text = page_of(write_html(report, tmp_path / "report.html")).text
    assert "Mean boundary IoU –" in text
    assert "Time per image –" in text
    assert "No image has counted pixels." in text
    assert "nan" not in text


def test_a_report_of_the_confusion_alone_leaves_out_what_it_lacks():
    page = Page(write(EvaluationReport(np.array([[3, 1], [0, 4]]), ("road", "sidewalk"), 2, 0.25)))
    assert [heading["id"] for heading in page.all("h2")] == [
        f"{name}-heading" for name in ("summary", "published", "classes", "confusion")
    ]
    assert not page.all("img")
    assert "oundary" not in page.text
    assert "The protocol was not recorded." in page.text
    assert "This network 77.50 mIoU" in page.text  # (3/4 + 4/5) / 2


def test_headings_are_in_order_and_links_lead_to_parts(written):
    page = page_of(written)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")} <= set(ids)
    assert page.all("html") == [{"lang": "en"}]


def test_other_numbers_of_classes_get_colors_of_their_own(make_report, tmp_path):
    labels = np.array([[0, 1, 2, 255]], np.uint8).repeat(3, axis=0)
    example = Example("a", 1.0, np.zeros((3, 4, 3), np.uint8), labels, np.minimum(labels, 2))
    report = EvaluationReport(np.eye(3, dtype=int), ("sky", "ground", "else"), 1, 0.0, examples=(example,))
    page = Page(write(report))
    shown = np.asarray(picture(page.all("img", **{"class": "truth"})[0]["src"])[1].convert("RGB"))
    assert [tuple(color) for color in shown[0].tolist()] == [*palette(3), (0, 0, 0)]


def test_a_palette_is_taken_or_refused(make_report):
    report = EvaluationReport(np.eye(2, dtype=int), ("a", "b"), 1, 0.0)
    assert "rgb(1,2,3)" in write(report, palette=[(1, 2, 3), (4, 5, 6)])
    assert "rgb(1,2,3)" in write(dataclasses.replace(report, class_colors=((1, 2, 3), (4, 5, 6))))
    with pytest.raises(ValueError, match=r"palette of 1 colors for 2 classes. Expected one color for each class"):
        write(report, palette=[(1, 2, 3)])


def test_labels_without_a_color_or_of_another_size_are_refused():
    image, labels = np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 7, np.uint8)
    report = EvaluationReport(
        np.eye(2, dtype=int), ("a", "b"), 1, 0.0, examples=(Example("x", 0.0, image, labels, labels),)
    )
    with pytest.raises(ValueError, match="label 7 with a palette of 2 colors"):
        write(report)
    report = EvaluationReport(
        np.eye(2, dtype=int), ("a", "b"), 1, 0.0, examples=(Example("x", 0.0, image, labels[1:] % 2, labels % 2),)
    )
    with pytest.raises(ValueError, match=r"example 'x' with an image of shape \(4, 4, 3\), a truth of \(3, 4\)"):
        write(report)


def test_a_title_replaces_the_one_of_the_network(make_report, tmp_path):
    page = page_of(write_html(make_report(), tmp_path / "report.html", title="Monday & Tuesday"))
    assert page.texts.count("Monday & Tuesday") == 2  # in the tab and in the heading


def test_the_path_is_returned_and_takes_strings(make_report, tmp_path):
    assert write_html(make_report(examples=()), str(tmp_path / "a.html")) == tmp_path / "a.html"


def test_another_ending_is_refused(make_report, tmp_path):
    with pytest.raises(ValueError, match=r'report.pdf\'. Expected it to end in ".html". Pass \'report.html\''):
        write_html(make_report(), tmp_path / "report.pdf")


def test_a_missing_folder_is_said(make_report, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected the folder of the file to exist. Create it first."):
        write_html(make_report(), tmp_path / "missing" / "report.html")


def test_a_report_without_a_counted_pixel_is_refused(make_report, tmp_path):
    with pytest.raises(ValueError, match="a report without counted pixels"):
        write_html(make_report(confusion=np.zeros((19, 19), np.int64)), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_a_page_that_cannot_be_finished_leaves_the_old_one(make_report, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_html(make_report(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_report_writes_the_same_bytes(make_report, tmp_path):
    first, second = (write_html(make_report(), tmp_path / f"{name}.html").read_bytes() for name in "ab")
    assert first == second


def test_control_characters_in_names_are_written_out(make_report, tmp_path):
    name = "a\x1b[31m\u202e\udcff"
    report = make_report(network=name, image_names=(name, *"bcdef"))
    text = write_html(report, tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count(r"a\x1b[31m\u202e\udcff") > 2
    assert not any(character in text for character in "\x1b\u202e")
