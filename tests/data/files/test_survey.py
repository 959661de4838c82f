import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data.files.cityscapes import find_pairs
from keras_hrnet.data.files.findings import Finding, Survey
from keras_hrnet.data.files.survey import check, check_folders, count_pairs
from keras_hrnet.data.label_coding import coding_of
from keras_hrnet.data_sets.cityscapes import ANNOTATIONS, BROKEN_IMAGE
from keras_hrnet.streets.synthesis import synthesize

pytestmark = pytest.mark.once


def rows(survey):
    return {(row.annotation, row.split): (row.found, row.state) for row in survey.rows}


def found(survey, severity):
    return [(finding.kind, finding.path) for finding in survey.findings if finding.severity == severity]


def messages(survey):
    return " ".join(f"{finding.message} {finding.cure}" for finding in survey.findings)


@pytest.fixture
def few_published(monkeypatch):
    """Pretends that three fine images to train on and two extra ones were published."""
    monkeypatch.setitem(ANNOTATIONS["fine"].num_images, "train", 3)
    monkeypatch.setitem(ANNOTATIONS["coarse"].num_images, "train_extra", 2)


class TestASoundRoot:
    def test_every_split_and_annotation_has_a_row(self, root):
        survey = check(root)
        assert survey.ok
        assert rows(survey) == {
            ("fine", "train"): (3, "sound"),
            ("fine", "val"): (1, "sound"),
            ("fine", "test"): (0, "absent: leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip"),
            ("coarse", "train"): (0, "absent: gtCoarse.zip"),
            ("coarse", "val"): (0, "absent: gtCoarse.zip"),
            ("coarse", "train_extra"): (0, "absent: leftImg8bit_trainextra.zip and gtCoarse.zip"),
        }

    def test_the_published_numbers_are_those_of_cityscapesscripts(self, root):
        published = {(row.annotation, row.split): row.published for row in check(root).rows}
        assert published == {
            ("fine", "train"): 2975,
            ("fine", "val"): 500,
            ("fine", "test"): 1525,
            ("coarse", "train"): 2975,
            ("coarse", "val"): 500,
            ("coarse", "train_extra"): 19998,
        }

    @pytest.mark.usefixtures("few_published")
    def test_a_split_of_the_published_number_is_complete(self, root):
        survey = check(root)
        assert rows(survey)["fine", "train"] == (3, "complete")
        assert ("fewer than published", root / "gtFine/train") not in found(survey, "remark")
        assert ("fewer than published", root / "gtFine/val") in found(survey, "remark")

    def test_another_size_than_published_is_a_remark(self, root):
        survey = check(root)
        assert ("other size", root / "leftImg8bit/train") in found(survey, "remark")
        assert "1024x2048 (height x width): 3 of 6x8" in messages(survey)

    def test_the_published_size_is_none(self, tmp_path, write_pair):
        write_pair(tmp_path, "train", "ulm_000001_000019", size=(1024, 2048))
        assert [kind for kind, _ in found(check(tmp_path), "remark")] == ["fewer than published"]

    def test_a_synthetic_set_is_sound(self, tmp_path):
        synthesize(tmp_path, num_train=2, num_val=1, num_test=1, size=(64, 128))
        survey = check(tmp_path)
        assert survey.ok
        assert [row.state for row in survey.rows[:3]] == ["sound"] * 3

    def test_each_pair_is_told(self, root, write_pair):
        write_pair(root, "val", "aachen_000000_000019", annotation="coarse")
        pairs = []
        check(root, on_pair=pairs.append)
        assert pairs[:3] == find_pairs(root, "train")
        assert pairs[3:] == [*find_pairs(root, "val"), *find_pairs(root, "val", "coarse")]
        assert count_pairs(root) == 5


class TestFaults:
    def test_each_is_an_error_with_its_file(self, root, write_image):
        (_, foreign), (cut, _), (gray, small) = find_pairs(root, "train")
        cut.write_bytes(cut.read_bytes()[:60])
        write_image(foreign, np.full((6, 8), 77, np.uint8))
        write_image(gray, np.zeros((6, 8), np.uint8))
        small.write_bytes(b"")
        survey = check(root)
        assert not survey.ok
        assert rows(survey)["fine", "train"] == (3, "4 errors")
        assert rows(survey)["fine", "val"] == (1, "sound")
        assert found(survey, "error") == [
            ("foreign values", foreign),
            ("cut short", cut),
            ("pixel format", gray),
            ("empty", small),
        ]
        quick = check(root, contents=False)
        assert found(quick, "error") == [("pixel format", gray), ("empty", small)]

    def test_differing_sizes_in_a_pair_are_an_error(self, root, write_image):
        label = find_pairs(root, "val")[0].label
        write_image(label, np.zeros((3, 4), np.uint8))
        assert found(check(root), "error") == [("sizes differ", label)]

    def test_an_image_of_two_labels_is_found_damaged_once(self, root, write_pair):
        write_pair(root, "val", "aachen_000000_000019", annotation="coarse")
        image = find_pairs(root, "val")[0].image
        image.write_bytes(b"")
        survey = check(root)
        assert found(survey, "error") == [("empty", image)]
        assert rows(survey)["fine", "val"] == rows(survey)["coarse", "val"] == (1, "1 error")

    def test_an_image_without_a_label_is_an_error_and_the_reverse_a_remark(self, root, write_pair):
        image, label = find_pairs(root, "train")[0]
        label.unlink()
        write_pair(root, "val", "ulm_000009_000019", image=False)
        survey = check(root)
        assert found(survey, "error") == [("image without label", image)]
        alone = root / "gtFine/val/ulm/ulm_000009_000019_gtFine_labelIds.png"
        assert ("label without image", alone) in found(survey, "remark")
        assert rows(survey)["fine", "train"] == (2, "1 error")
        assert f"Unpack gtFine_trainvaltest.zip at {root}" in messages(survey)

    def test_labels_of_images_that_were_not_unpacked_are_no_error(self, root, write_pair):
        write_pair(root, "train_extra", "trier_000000_000000", annotation="coarse", image=False)
        survey = check(root)
        assert survey.ok
        assert rows(survey)["coarse", "train_extra"] == (0, "absent: leftImg8bit_trainextra.zip")

    def test_files_of_which_none_belong_together_are_errors(self, root, write_pair):
        write_pair(root, "test", "ulm_000001_000019", label=False)
        write_pair(root, "test", "ulm_000002_000019", image=False)
        assert rows(check(root))["fine", "test"] == (0, "1 error")

    def test_a_folder_that_may_not_be_read_leaves_the_other_splits(self, root, forbidden):
        forbidden(root / "leftImg8bit/train/ulm")
        survey = check(root)
        assert found(survey, "error") == [("unreadable folder", root)]
        assert f"The folder {root / 'leftImg8bit/train/ulm'} cannot be read" in messages(survey)
        assert rows(survey)["fine", "train"] == rows(survey)["coarse", "train"] == (0, "unreadable")
        assert rows(survey)["fine", "val"] == (1, "sound")

    def test_a_root_without_any_pair_is_an_error(self, tmp_path):
        (tmp_path / "leftImg8bit").mkdir()
        (tmp_path / "gtFine").mkdir()
        assert found(check(tmp_path), "error") == [("no images", tmp_path)]

    def test_a_root_too_deep_is_corrected(self, root):
        for function in (check, count_pairs):
            with pytest.raises(FileNotFoundError, match=f"Use the root {root} instead"):
                function(root / "gtFine")

    def test_coarse_labels_alone_are_enough(self, tmp_path, write_pair):
        write_pair(tmp_path, "train", "ulm_000001_000019", annotation="coarse")
        assert rows(check(tmp_path))["coarse", "train"] == (1, "sound")


@pytest.mark.usefixtures("few_published")
class TestTheImageThatIsPublishedBroken:
    @pytest.fixture
    def extra(self, root, write_pair, write_image):
        for name in ("trier_000000_000000", "troisdorf_000000_000073"):
            write_pair(root, "train_extra", name, annotation="coarse")
        write_image(root / BROKEN_IMAGE, np.zeros((6, 8), np.uint8))
        return root

    def test_it_is_recognized(self, extra):
        survey = check(extra)
        assert found(survey, "error") == [("pixel format", extra / BROKEN_IMAGE)]
        assert "leftImg8bit_trainextra.zip is known to contain this one broken image. Remove it" in messages(survey)

    def test_the_split_is_complete_without_it(self, extra):
        (extra / BROKEN_IMAGE).unlink()
        survey = check(extra)
        assert rows(survey)["coarse", "train_extra"] == (1, "complete")
        assert not [path for _, path in found(survey, "remark") if "gtCoarse" in str(path)]

    def test_another_missing_image_is_still_told(self, extra):
        (extra / BROKEN_IMAGE).unlink()
        find_pairs(extra, "train_extra", "coarse")[0].image.rename(extra / BROKEN_IMAGE)
        survey = check(extra)
        assert rows(survey)["coarse", "train_extra"] == (1, "sound")
        assert ("fewer than published", extra / "gtCoarse/train_extra") in found(survey, "remark")


class TestFolders:
    @pytest.fixture
    def pair(self, tmp_path, noise, write_image):
        (tmp_path / "photos").mkdir()
        return noise(tmp_path / "photos/a.jpg"), write_image(tmp_path / "masks/a.png", np.full((30, 40), 5, np.uint8))

    def test_any_value_is_sound_where_none_is_known(self, pair):
        pairs = []
        survey = check_folders(pair[0].parent, pair[1].parent, on_pair=pairs.append)
        assert survey.ok
        assert rows(survey) == {("masks", "all"): (1, "sound")}
        assert pairs == [pair]

    def test_foreign_values_and_files_that_stand_alone_are_found(self, pair, noise, write_image):
        image = noise(pair[0].parent / "b.jpg")
        label = write_image(pair[1].parent / "c.png", np.zeros((30, 40), np.uint8))
        survey = check_folders(pair[0].parent, pair[1].parent, coding=coding_of(3))
        assert found(survey, "error") == [("foreign values", pair[1]), ("image without label", image)]
        assert found(survey, "remark") == [("label without image", label)]
        assert rows(survey) == {("masks", "all"): (1, "2 errors")}

    def test_what_the_masks_hold_is_told_with_its_class(self, pair, write_image):
        write_image(pair[1], np.repeat(np.uint8([0, 1, 255]), 400).reshape(30, 40))
        of_own = check_folders(pair[0].parent, pair[1].parent, coding=coding_of(("sky", "sea", "sand")))
        assert of_own.values == (("0", "sky"), ("1", "sea"), ("255", "ignored"))
        assert "values in the masks: 0 (sky), 1 (sea), 255 (ignored)" in str(of_own)
        assert of_own.as_dict()["values"][2] == {"value": "255", "class": "ignored"}
        assert "published" not in str(of_own)
        any_value = check_folders(pair[0].parent, pair[1].parent)
        assert any_value.values_in_words() == "0, 1, 255"
        refused = check_folders(pair[0].parent, pair[1].parent, coding=coding_of(1))
        assert (refused.ok, refused.values) == (False, ())
        write_image(pair[1], np.repeat(np.uint8([[255, 0, 0], [0, 9, 16]]), 600, 0).reshape(30, 40, 3))
        colors = [(0, 9, 16), (255, 0, 0)]
        of_colors = check_folders(pair[0].parent, pair[1].parent, coding=coding_of(("sky", "sea"), palette=colors))
        assert of_colors.values_in_words() == "#000910 (sky), #ff0000 (sea)"

    def test_images_that_are_turned_are_remarked(self, pair):
        exif = Image.Exif()
        exif[0x0112] = 3
        Image.open(pair[0]).save(pair[0], exif=exif)
        assert found(check_folders(pair[0].parent, pair[1].parent), "remark") == [("rotated", pair[0])]


class TestReport:
    @pytest.fixture
    def survey(self, root, write_pair):
        write_pair(root, "val", "ulm_000009_000019", label=False)
        for pair in find_pairs(root, "train"):
            pair.image.write_bytes(b"")
        return check(root)

    def test_it_is_json(self, survey):
        data = json.loads(json.dumps(survey.as_dict()))
        assert data["ok"] is False
        first = {"split": "train", "annotation": "fine", "found": 3, "published": 2975, "state": "3 errors"}
        assert data["rows"][0] == first
        assert {finding["kind"] for finding in data["findings"] if finding["severity"] == "error"} == {
            "empty",
            "image without label",
        }
        assert data["findings"][0]["path"].endswith("bonn_000001_000019_leftImg8bit.png")

    def test_it_is_a_table_with_what_to_do(self, survey, root):
        lines = str(survey).splitlines()
        assert lines[0] == str(root)
        assert lines[1].split() == ["annotation", "split", "found", "published", "state"]
        assert lines[2].split() == ["fine", "train", "3", "2975", "3", "errors"]
        assert "3 errors: empty" in lines
        assert "  → Restore the file from its source." in lines
        assert lines.index("3 errors: empty") < lines.index("2 remarks: fewer than published")

    def test_of_many_files_the_first_are_shown(self, root, write_pair):
        for number in range(5):
            write_pair(root, "train", f"ulm_00001{number}_000019", label=False)
        text = str(check(root))
        assert text.count("has no label image") == 3
        assert "  and 2 more" in text.splitlines()

    def test_findings_are_grouped_by_kind_and_cure_and_errors_come_first(self):
        remark = Finding("remark", "other size", Path("a"), "is small", "Nothing to do.")
        gray, deep, other = (
            Finding("error", "pixel format", Path(name), "is odd", cure)
            for name, cure in (("b", "Convert it."), ("c", "Divide it."), ("d", "Convert it."))
        )
        assert Survey("root", (), (remark, gray, deep, other)).groups() == [[gray, other], [deep], [remark]]
