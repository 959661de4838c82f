"""Weights for segmentation: the official files, and those of NVIDIA and openseg.pytorch.

Left out are openseg.pytorch's files of 2020 (their heads end in a leaky ReLU: `BNReLU` of its module_helper.py is
InPlaceABN's default under "bn_type": "inplace_abn"), its networks with the head OCR-B (another auxiliary head), and
the networks that no row of `VARIANTS` is.
"""

from keras_hrnet.checkpoints.published.row import PublishedWeights

_OFFICIAL = "https://github.com/HRNet/HRNet-Semantic-Segmentation"
_OFFICIAL_FILES = "https://github.com/hsfzxjy/models.storage/releases"
_OPENSEG_FILES = "https://github.com/openseg-group/openseg.pytorch/releases"
_OCR_CHANNELS = (512, 256)

NUM_CLASSES = {"cityscapes": 19, "lip": 20, "pascal_context": 59, "coco_stuff": 171, "ade20k": 150, "mapillary": 65}
"""Classes of the data sets in those repositories' configurations."""


def segmentation_rows():
    """Lists the files, the best of each network first."""
    return (*_official(), *_official_by_hand(), *_nvidia(), *_openseg())


def _row(name, head, dataset, file, **facts):
    facts = {"variant": "HRNetW48", "num_classes": NUM_CLASSES[dataset], "interpolation": "bilinear", **facts}
    facts = {"head_kernel_size": 1, "ocr_channels": None if head == "fcn" else _OCR_CHANNELS, **facts}
    return PublishedWeights(name=name, head=head, dataset=dataset, file=file, **facts)


def _official():
    # Branch HRNet-OCR, commit 0bbb288: scores from README.md, align_corners from the configuration of each network,
    # which is more than README's general "we use align_corners = True". Both are given for OCR on LIP: its own
    # configuration leaves True, README evaluates it with the plain network's, which sets False.
    for name, head, dataset, file, align_corners, score in (
        ("cityscapes", "fcn", "cityscapes", "hrnet_cs_8090_torch11", False, "80.9 mIoU, val"),
        ("cityscapes", "ocr", "cityscapes", "hrnet_ocr_cs_8162_torch11", True, "81.6 mIoU, val"),
        (
            "trainval",
            "ocr",
            "cityscapes",
            "hrnet_ocr_cs_trainval_8227_torch11",
            True,
            "82.3 mIoU, test, 6 scales, flipped",
        ),
        ("lip", "fcn", "lip", "hrnet_lip_5583_torch04", False, "55.83 mIoU, val, flipped"),
        ("lip", "ocr", "lip", "hrnet_ocr_lip_5648_torch04", None, "56.48 mIoU, val, flipped"),
        (
            "context",
            "fcn",
            "pascal_context",
            "hrnet_pascal_ctx_5410_torch11",
            False,
            "54.1 mIoU, val, 7 scales, flipped",
        ),
        (
            "context",
            "ocr",
            "pascal_context",
            "hrnet_ocr_pascal_ctx_5618_torch11",
            True,
            "56.2 mIoU, val, 7 scales, flipped",
        ),
        ("coco_stuff", "fcn", "coco_stuff", "hrnet_cocostuff_3617_torch04", True, "36.2 mIoU, val"),
        ("coco_stuff", "ocr", "coco_stuff", "hrnet_ocr_cocostuff_3965_torch04", True, "39.7 mIoU, val"),
        ("ade20k", "fcn", "ade20k", "hrnet_ade20k_4312_torch04", True, "43.1 mIoU, val"),
        ("ade20k", "ocr", "ade20k", "hrnet_ocr_ade20k_4451_torch04", True, "44.5 mIoU, val"),
    ):
        yield _row(
            f"official_w48{'_ocr' if head == 'ocr' else ''}_{name}",
            head,
            dataset,
            f"{file}.pth",
            url=f"{_OFFICIAL_FILES}/download/HRNet-OCR/{file}.pth",
            page=f"{_OFFICIAL_FILES}/tag/HRNet-OCR",
            align_corners=align_corners,
            licence="repository: CC0-1.0",
            source="HRNet/HRNet-Semantic-Segmentation, branch HRNet-OCR, README.md",
            score=score,
        )


def _official_by_hand():
    # OneDrive and Baidu only. Branch master, commit 8037a7f, and pytorch-v1.1, 88419ab, whose code leaves
    # align_corners at PyTorch's False. README names three of the files; the names of the small ones are what those
    # who use them call them.
    for name, variant, dataset, num_classes, file, branch, score in (
        (
            "small_v1_cityscapes",
            "HRNetW18Small",
            "cityscapes",
            19,
            "hrnet_w18_small_v1_cityscapes_cls19_1024x2048_trainset",
            "pytorch-v1.1",
            "70.3 mIoU, val",
        ),
        (
            "small_v2_cityscapes",
            "HRNetW18SmallV2",
            "cityscapes",
            19,
            "hrnet_w18_small_v2_cityscapes_cls19_1024x2048_trainset",
            "pytorch-v1.1",
            "76.2 mIoU, val",
        ),
        (
            "w48_cityscapes_2020",
            "HRNetW48",
            "cityscapes",
            19,
            "hrnet_w48_cityscapes_cls19_1024x2048_trainset",
            "pytorch-v1.1",
            "81.1 mIoU, val",
        ),
        (
            "w48_cityscapes_2019",
            "HRNetW48",
            "cityscapes",
            19,
            "hrnet_w48_cityscapes_cls19_1024x2048_trainset",
            "master",
            "80.9 mIoU, val",
        ),
        (
            "w48_context_2019",
            "HRNetW48",
            "pascal_context",
            59,
            "hrnet_w48_pascal_context_cls59_480x480",
            "master",
            "54.1 mIoU, val, 7 scales, flipped",
        ),
        ("w48_lip_2019", "HRNetW48", "lip", 20, "hrnet_w48_lip_cls20_473x473", "master", "56.04 mIoU, val, flipped"),
    ):
        yield _row(
            f"official_{name}",
            "fcn",
            dataset,
            f"{file}.pth",
            variant=variant,
            num_classes=num_classes,
            page=f"{_OFFICIAL}/tree/{branch}",
            align_corners=False,
            licence="repository: MIT",
            source=f"HRNet/HRNet-Semantic-Segmentation, branch {branch}, README.md",
            score=score,
        )


def _nvidia():
    # Commit 7726b14: scripts/*.yml, README.md, and config.py for align_corners. The folder has been closed since 2024
    # (issues 198 and 200 of the repository).
    for name, head, dataset, file, score in (
        (
            "nvidia_w48_cityscapes",
            "hierarchical",
            "cityscapes",
            "cityscapes_ocrnet.HRNet_Mscale_outstanding-turtle",
            "86.92 mIoU, val, 3 scales",
        ),
        (
            "nvidia_w48_mapillary",
            "hierarchical",
            "mapillary",
            "mapillary_ocrnet.HRNet_Mscale_fast-rattlesnake",
            "61.05 mIoU, val, 4 scales, flipped",
        ),
        ("nvidia_w48_ocr_mapillary", "ocr", "mapillary", "ocrnet.HRNet_industrious-chicken", None),
    ):
        yield _row(
            name,
            head,
            dataset,
            f"{file}.pth",
            page="https://drive.google.com/open?id=1fs-uLzXvmsISbS635eRZCc5uzQdBIZ_U",
            align_corners=False,
            licence="repository: BSD-3-Clause",
            source="NVIDIA/semantic-segmentation, README.md",
            score=score,
        )


def _openseg():
    # Branch pytorch-1.7, commit 65bbbd4: MODEL_ZOO.md; configs/*/H_48_D_4_RMI.json for "input_mode": "BGR";
    # lib/models/nets/hrnet.py for align_corners and the 3x3 auxiliary head. Of two scores MODEL_ZOO.md does not say
    # which is which run's.
    for name, dataset, file, score in (
        (
            "cityscapes_run1",
            "cityscapes",
            "cityscapes_hrnet_w48_ocr_rmi_paddle_lr2x_run1_latest",
            "82.57 or 82.64 mIoU, val",
        ),
        (
            "cityscapes_run2",
            "cityscapes",
            "cityscapes_hrnet_w48_ocr_rmi_paddle_lr2x_run2_latest",
            "82.57 or 82.64 mIoU, val",
        ),
        (
            "context_run1",
            "pascal_context",
            "pascal_context_hrnet_w48_ocr_rmi_paddle_run1_latest",
            "58.53 or 58.72 mIoU, val",
        ),
        (
            "context_run2",
            "pascal_context",
            "pascal_context_hrnet_w48_ocr_rmi_paddle_run2_latest",
            "58.53 or 58.72 mIoU, val",
        ),
        ("lip", "lip", "lip_hrnet_w48_ocr_rmi_paddle_latest", "58.21 mIoU, val, flipped"),
        ("ade20k", "ade20k", "ade20k_hrnet_w48_ocr_hrnet48_rmi_paddle_latest", "46.59 mIoU, val"),
    ):
        yield _row(
            f"openseg_w48_ocr_{name}",
            "ocr",
            dataset,
            f"{file}.pth",
            url=f"{_OPENSEG_FILES}/download/v1.0/{file}.pth",
            page=f"{_OPENSEG_FILES}/tag/v1.0",
            align_corners=True,
            channel_order="BGR",
            head_kernel_size=3,
            licence="repository: MIT",
            source="openseg-group/openseg.pytorch, branch pytorch-1.7, MODEL_ZOO.md",
            score=score,
        )
