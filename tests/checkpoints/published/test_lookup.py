import dataclasses
import hashlib
import re

import pytest

from keras_hrnet.checkpoints import identify, published_weights
from keras_hrnet.checkpoints.published import check_exists, find
from keras_hrnet.data_sets import DATA_SETS
from keras_hrnet.heads import standardize_head
from keras_hrnet.models import VARIANTS

pytestmark = pytest.mark.once

ROWS = {row.name: row for row in published_weights()}


def test_names_are_unique_and_short():
    assert len(ROWS) == len(published_weights())
    assert not [name for name in ROWS if not re.fullmatch(r"[a-z0-9_]{1,32}", name)]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_of_a_network_of_this_package_and_says_where_it_is_from(row):
    assert row.variant in VARIANTS
    assert row.head in ("fcn", "ocr", "hierarchical", "classification", None)
    assert (row.num_classes is None) == (row.head is None)
    standardize_head(row.head, row.head_options, row.variant)  # It raises an error for options of no head.
    assert ("ocr_channels" in row.head_options) == (row.head in ("ocr", "hierarchical"))
    assert row.page.startswith("https://")
    assert row.source
    assert row.url is None or row.url.startswith("https://")
    assert row.interpolation in ("nearest", "bilinear")
    assert row.align_corners in (None, False) or row.interpolation == "bilinear"
    assert re.fullmatch(r"[0-9a-f]{64}", row.sha256 or "0" * 64)
    assert re.fullmatch(r"[0-9a-f]{8}", row.sha256_start or "0" * 8)


@pytest.mark.parametrize(
    "row", [row for row in ROWS.values() if row.sha256_start and row.url], ids=lambda row: row.name
)
def test_the_stated_digits_are_those_in_the_address(row):
    assert row.url.endswith(f"-{row.sha256_start}.pth")
    assert (row.sha256 or row.sha256_start).startswith(row.sha256_start)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        (
            "official_w48_cityscapes",
            {
                "variant": "HRNetW48",
                "head": "fcn",
                "num_classes": 19,
                "file": "hrnet_cs_8090_torch11.pth",
                "url": "https://github.com/hsfzxjy/models.storage/releases/download/HRNet-OCR/hrnet_cs_8090_torch11.pth",
                "score": "80.9 mIoU, val",
                "align_corners": False,
                "sha256": None,
            },
        ),
        ("official_w48_ocr_cityscapes", {"align_corners": True, "head_options": {"ocr_channels": (512, 256)}}),
        ("official_w48_ocr_lip", {"align_corners": None, "num_classes": 20}),
        ("official_w48_ade20k", {"align_corners": True, "num_classes": 150}),
        ("official_small_v1_cityscapes", {"variant": "HRNetW18Small", "url": None}),
        ("nvidia_w48_cityscapes", {"head": "hierarchical", "align_corners": False, "url": None}),
        (
            "openseg_w48_ocr_lip",
            {
                "channel_order": "BGR",
                "head_options": {"ocr_channels": (512, 256), "head_kernel_size": 3},
                "align_corners": True,
            },
        ),
        (
            "mmseg_ocr_hr18s_cityscapes_160k",
            {
                "variant": "HRNetW18SmallV2",
                "url": "https://download.openmmlab.com/mmsegmentation/v0.5/ocrnet/ocrnet_hr18s_512x1024_160k_cityscapes/"
                "ocrnet_hr18s_512x1024_160k_cityscapes_20200602_191005-f4a7af28.pth",
                "sha256_start": "f4a7af28",
                "license": "Apache-2.0",
            },
        ),
        (
            "mmseg_ocr_hr18s_cityscapes_40k",
            {
                "url": "https://download.openmmlab.com/mmsegmentation/v0.5/ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024/"
                "ocrnet_hr18s_4xb2-40k_cityscapes-512x1024_20230227_145026-6c052a14.pth"
            },
        ),
        ("mmseg_fcn_hr48_context_59_80k", {"num_classes": 59, "dataset": "pascal_context"}),
        ("mmseg_fcn_hr48_context_80k", {"num_classes": 60, "dataset": "pascal_context"}),
        ("mmseg_fcn_hr48_cityscapes_40k", {"size": 264102996, "verification": "SHA-256"}),
        (
            "timm_w48",
            {
                "url": "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-hrnet/"
                "hrnetv2_w48-abd2e6ab.pth",
                "interpolation": "nearest",
                "num_classes": 1000,
                "verification": "8 digits of SHA-256",
            },
        ),
        (
            "timm_hub_w48_ssld",
            {
                "url": "https://huggingface.co/timm/hrnet_w48_ssld.paddle_in1k/resolve/main/model.safetensors",
                "verification": "nothing",
            },
        ),
        ("official_w64_imagenet", {"size": 513111608, "url": None}),
    ],
)
def test_a_row_says_what_its_publishers_state(name, facts):
    assert {fact: getattr(ROWS[name], fact) for fact in facts} == facts


@pytest.mark.parametrize(
    ("name", "data_set"),
    [
        ("official_w48_cityscapes", "cityscapes"),
        ("mmseg_ocr_hr18s_cityscapes_40k", "cityscapes"),
        ("mmseg_fcn_hr48_context_59_80k", "pascal_context"),
        ("mmseg_fcn_hr48_context_80k", "pascal_context_60"),
    ],
)
def test_a_file_of_a_known_data_set_has_its_classes(name, data_set):
    assert ROWS[name].classes is DATA_SETS[data_set].classes


def test_a_file_of_another_data_set_or_number_of_classes_has_none():
    row = ROWS["official_w48_cityscapes"]
    assert dataclasses.replace(row, num_classes=20).classes is None
    assert dataclasses.replace(row, dataset="my_streets").classes is None
    assert dataclasses.replace(row, head=None, num_classes=None).classes is None


@pytest.mark.parametrize(
    ("weights", "variant", "head", "num_classes", "name"),
    [
        ("imagenet", "HRNetW48", "fcn", 5, "timm_w48"),
        ("imagenet", "HRNetW64", None, 19, "timm_w64"),
        ("imagenet", "HRNetW18Small", "classification", 1000, "timm_w18_small_v1"),
        ("cityscapes", "HRNetW48", "fcn", 19, "mmseg_fcn_hr48_cityscapes_160k"),
        ("cityscapes", "HRNetW48", "ocr", 19, "mmseg_ocr_hr48_cityscapes_160k"),
        ("cityscapes", "HRNetW48", "hierarchical", 19, "nvidia_w48_cityscapes"),
        ("cityscapes", "HRNetW18Small", "fcn", 19, "official_small_v1_cityscapes"),
        ("cityscapes", "HRNetW18", None, 7, "mmseg_fcn_hr18_cityscapes_160k"),
        ("lip", "HRNetW48", "ocr", 20, "official_w48_ocr_lip"),
        ("pascal_context", "HRNetW48", "fcn", 60, "mmseg_fcn_hr48_context_80k"),
        ("pascal_context", "HRNetW48", "fcn", 59, "mmseg_fcn_hr48_context_59_80k"),
        ("official_w48_ocr_trainval", "HRNetW48", "ocr", 19, "official_w48_ocr_trainval"),
        ("hrnet_cs_8090_torch11.pth", "HRNetW48", "fcn", 19, "official_w48_cityscapes"),
        ("mmlab_w48", "HRNetW48", "isa", 19, "mmlab_w48"),
        ("imagenet", "HRFormerTiny", "ocr", 19, "hrformer_tiny_imagenet"),
        ("coco_keypoints", "LiteHRNetNaive18", "iterative", 19, "naive_lite_18_coco_256x192"),
        ("lite_18_coco_384x288", "LiteHRNet18", "fcn", 5, "lite_18_coco_384x288"),
    ],
)
def test_a_network_finds_its_weights(weights, variant, head, num_classes, name):
    assert find(weights, variant, head, num_classes).name == name


# Nobody published ImageNet weights of Lite-HRNet.
@pytest.mark.parametrize("variant", [name for name in VARIANTS if not name.startswith("Lite")])
def test_every_network_finds_imagenet_weights_and_those_of_hrnet_can_be_fetched_and_checked(variant):
    for head, num_classes in (("fcn", 19), ("classification", 1000), (None, 19)):
        row = find("imagenet", variant, head, num_classes)
        assert (row.url is not None) == (row.verification != "nothing") == variant.startswith("HRNet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("cityscape", "HRNetW48", "fcn", 19),
            r"Received weights='cityscape'\. Expected a data set \(ade20k, cityscapes, .*\), the name of .*, or a path"
            r"\. Did you mean 'cityscapes'",
        ),
        (("offical_w48_cityscapes", "HRNetW48", "fcn", 19), r"Did you mean 'official_w48_cityscapes' or"),
        (("zzz", "HRNetW48", "fcn", 19), r"or a path\. Pass one of them\."),
        (
            ("cityscapes", "HRNetW30", "fcn", 19),
            r"for HRNetW30 with head='fcn'\. Expected a network that has such weights \(head='fcn': HRNetW18, "
            r"HRNetW18Small, HRNetW18SmallV2, HRNetW48; head='hierarchical': HRNetW48; head='ocr': HRFormerBase, "
            r"HRFormerSmall, HRNetW18, "
            r"HRNetW18SmallV2, HRNetW48\)\. Build one of those, or start from weights='imagenet'\.",
        ),
        (
            ("cityscapes", "HRNetW48", "isa", 19),
            r"with head='isa'\. Expected a network that has such weights",
        ),
        (("imagenet", "Tiny", "fcn", 19), r"Expected one of .*, HRNetW18, HRNetW18Small, .*\. Build one"),
        (("coco_keypoints", "HRNetW48", "fcn", 19), r"Expected one of LiteHRNet18, LiteHRNet30, LiteHRNetNaive18, Lit"),
        (
            ("cityscapes", "HRNetW48", "fcn", 7),
            r"num_classes=7\. Expected num_classes=19, as in fcn_hr48_.*\. Pass num_classes=19, or build without "
            r"weights and load only the backbone: "
            r"keras_hrnet\.load_checkpoint\(model, keras_hrnet\.checkpoints\.download\("
            r'"mmseg_fcn_hr48_cityscapes_160k"\), skip_head=True\)',
        ),
        (("imagenet", "HRNetW48", "classification", 19), r"Expected num_classes=1000, as in hrnetv2_w48-abd2e6ab\.pth"),
        (("timm_w18", "HRNetW48", "fcn", 19), r"Expected HRNetW18, for which they were made\. Build that network"),
        (
            ("official_w48_cityscapes", "HRNetW48", "ocr", 19),
            r"Expected head='fcn', for which they were made\. Build that head, or",
        ),
        (("mmlab_w48", "HRNetW48", "classification", 1000), r"Expected head=None, for which they were made"),
        (
            ("openseg_w48_ocr_lip", "HRNetW48", "ocr", 20),
            r"Expected weights for RGB pixels; .* is for BGR\. .* and pass images with reversed channels, images\[\.",
        ),
        (("model.safetensors", "HRNetW48", "fcn", 19), r"Received weights='model\.safetensors'\. Expected a data set"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_there_is(arguments, message):
    with pytest.raises(ValueError, match=message):
        find(*arguments)


def test_a_file_is_known_by_its_name(tmp_path):
    assert identify(tmp_path / "hrnet_ocr_cs_8162_torch11.pth") == ROWS["official_w48_ocr_cityscapes"]


def test_a_file_in_the_cache_is_known_by_its_folder(tmp_path):
    assert identify(tmp_path / "timm_hub_w30_ms" / "model.safetensors") == ROWS["timm_hub_w30_ms"]


def test_a_name_that_files_of_several_networks_have_says_nothing(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert identify(tmp_path / "model.safetensors") is None


@pytest.mark.parametrize(("size", "known"), [(None, True), (7, True), (8, False)])
def test_a_renamed_file_is_known_by_its_sha256(size, known, tmp_path, monkeypatch):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    row = dataclasses.replace(ROWS["timm_w48"], sha256_start=digest[:8], size=size)
    monkeypatch.setattr("keras_hrnet.checkpoints.published.lookup.published_weights", lambda: (*ROWS.values(), row))
    assert identify(path) == (row if known else None)


def test_another_file_is_none_of_them(tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"weights")
    assert identify(tmp_path / "mine.pth") is None
    assert identify(tmp_path / "not_there.pth") is None


def test_weights_that_are_neither_published_nor_a_file_are_refused(tmp_path):
    for weights in ("cityscapes", "official_w48_cityscapes", ROWS["official_w48_cityscapes"].file):
        check_exists(weights)
    page = tmp_path / "page.pth"
    page.write_text("<!DOCTYPE html><html></html>")
    for weights, kind, message in (
        ("cityscape", ValueError, "cityscapes"),
        (str(tmp_path / "nowhere.pth"), FileNotFoundError, r"nowhere\.pth'\. Expected a file there"),
        (str(page), ValueError, "is a web page"),
    ):
        with pytest.raises(kind, match=message):
            check_exists(weights)
