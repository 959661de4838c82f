"""Weights for the classification of ImageNet: what segmentation starts from."""

from keras_hrnet.checkpoints.published.row import PublishedWeights

_HUB = "https://huggingface.co/timm"
_MMLAB = "https://download.openmmlab.com/pretrain/third_party"
_OFFICIAL = "https://github.com/HRNet/HRNet-Image-Classification"
_OFFICIAL_COPIES = "https://github.com/bonlime/pytorch-tools/releases/download/v0.1.2"
_OPENSEG = "https://github.com/hsfzxjy/models.storage/releases"
_TIMM = "https://github.com/rwightman/pytorch-image-models/releases"


def imagenet_rows():
    """Lists the files, those before others that a network is given for `weights="imagenet"`."""
    return (*_timm_release(), *_official(), *_official_longer(), *_timm_hub(), *_mmlab(), *_openseg())


def _row(name, variant, file, **facts):
    """Fills in what holds for all: nearest enlarging in the classification code, `Upsample` in cls_hrnet.py."""
    facts = {"head": "classification", "num_classes": 1000, **facts}
    return PublishedWeights(
        name=name, variant=variant, dataset="imagenet", file=file, interpolation="nearest", align_corners=False, **facts
    )


def _timm_release():
    # The official weights, saved again. Files: timm/models/hrnet.py before commit 3386af8c; scores: hrnet.mdx;
    # clean_checkpoint.py writes the first digits of the SHA-256 into the name.
    for variant, stem, start, score in (
        ("HRNetW18Small", "hrnet_w18_small_v1", "f460c6bc", "72.34"),
        ("HRNetW18SmallV2", "hrnet_w18_small_v2", "4c50a8cb", "75.11"),
        ("HRNetW18", "hrnetv2_w18", "8cb57bb9", "76.76"),
        ("HRNetW30", "hrnetv2_w30", "8d7f8dab", "78.21"),
        ("HRNetW32", "hrnetv2_w32", "90d8c5fb", "78.45"),
        ("HRNetW40", "hrnetv2_w40", "7cd397a4", "78.93"),
        ("HRNetW44", "hrnetv2_w44", "c9ac8c18", "78.89"),
        ("HRNetW48", "hrnetv2_w48", "abd2e6ab", "79.32"),
        ("HRNetW64", "hrnetv2_w64", "b47cc881", "79.46"),
    ):
        file = f"{stem}-{start}.pth"
        yield _row(
            f"timm_{stem.removeprefix('hrnet_').removeprefix('hrnetv2_')}",
            variant,
            file,
            url=f"{_TIMM}/download/v0.1-hrnet/{file}",
            page=f"{_TIMM}/tag/v0.1-hrnet",
            sha256_start=start,
            licence="repository: Apache-2.0",
            source="huggingface/pytorch-image-models, hfdocs/source/models/hrnet.mdx",
            score=f"{score} % top-1",
        )


def _official():
    # README links OneDrive and Baidu; direct copies with the first digits of their SHA-256 are bonlime/pytorch-tools'
    # (pytorch_tools/models/hrnet.py). W18, W32 and W40 have the digits of OpenMMLab's copies, too. The digits that are
    # stated for small_v2 differ (a6eb6c92, d3923c3d). W64: huggingface.co/hr16/ControlNet-HandRefiner-pruned, f0917f0.
    for variant, stem, start, error in (
        ("HRNetW18Small", "hrnet_w18_small_model_v1", None, 27.7),
        ("HRNetW18SmallV2", "hrnet_w18_small_model_v2", None, 24.9),
        ("HRNetW18", "hrnetv2_w18_imagenet_pretrained", "00eb2006", 23.2),
        ("HRNetW30", "hrnetv2_w30_imagenet_pretrained", "11fb7730", 21.8),
        ("HRNetW32", "hrnetv2_w32_imagenet_pretrained", "dc9eeb4f", 21.5),
        ("HRNetW40", "hrnetv2_w40_imagenet_pretrained", "ed0b031c", 21.1),
        ("HRNetW44", "hrnetv2_w44_imagenet_pretrained", "8c55086c", 21.1),
        ("HRNetW48", "hrnetv2_w48_imagenet_pretrained", "0efec102", 20.7),
        ("HRNetW64", "hrnetv2_w64_imagenet_pretrained", None, 20.5),
    ):
        is_w64 = variant == "HRNetW64"
        short = stem.removeprefix("hrnetv2_").removeprefix("hrnet_").replace("w18_small_model", "small")
        yield _row(
            f"official_{short.removesuffix('_imagenet_pretrained')}_imagenet",
            variant,
            f"{stem}.pth",
            url=f"{_OFFICIAL_COPIES}/{stem}-{start}.pth" if start else None,
            page=_OFFICIAL,
            size=513111608 if is_w64 else None,
            sha256="41ed675bcd1f4f4b62a49bad64901f08f8b67ed744b715da87738f926dae685c" if is_w64 else None,
            sha256_start=start,
            licence="repository: MIT",
            source="HRNet/HRNet-Image-Classification, README.md",
            score=f"{100 - error:.1f} % top-1",
        )


def _official_longer():
    for variant, file, extra, error in (
        ("HRNetW18", "HRNet_W18_C_cosinelr_cutmix_300epoch.pth.tar", "cutmix", 22.1),
        ("HRNetW48", "HRNet_W48_C_cosinelr_cutmix_300epoch.pth.tar", "cutmix", 18.9),
        ("HRNetW18", "HRNet_W18_C_ssld_pretrained.pth", "ssld", 18.8),
        ("HRNetW48", "HRNet_W48_C_ssld_pretrained.pth", "ssld", 16.4),
    ):
        yield _row(
            f"official_{variant.removeprefix('HRNet').lower()}_imagenet_{extra}",
            variant,
            file,
            url=f"{_OFFICIAL}/releases/download/PretrainedWeights/{file}",
            page=f"{_OFFICIAL}/releases/tag/PretrainedWeights",
            licence="repository: MIT",
            source="HRNet/HRNet-Image-Classification, README.md",
            score=f"{100 - error:.1f} % top-1",
        )


def _timm_hub():
    # Ids and licences: timm/models/hrnet.py; scores: results/results-imagenet.csv, commit 4e5207c7; SHA-256: the
    # hub's pages of three of the files.
    for variant, model, score, sha256 in (
        ("HRNetW18Small", "hrnet_w18_small.ms_in1k", "72.34 % top-1", None),
        ("HRNetW18Small", "hrnet_w18_small.gluon_in1k", "73.93 % top-1", None),
        (
            "HRNetW18SmallV2",
            "hrnet_w18_small_v2.ms_in1k",
            "75.09 % top-1",
            "cd7436f6de68d589ac0d05b90e49199c9ad28669381a25250e9667aa9e5b670e",
        ),
        ("HRNetW18SmallV2", "hrnet_w18_small_v2.gluon_in1k", "78.20 % top-1", None),
        ("HRNetW18", "hrnet_w18.ms_in1k", "76.77 % top-1", None),
        (
            "HRNetW18",
            "hrnet_w18.ms_aug_in1k",
            "78.11 % top-1",
            "f9e3c451448c037d4dd549c96f3013d2926b492f69f27c74bbcc909e053e677c",
        ),
        ("HRNetW18", "hrnet_w18_ssld.paddle_in1k", "82.05 % top-1, 288 pixels", None),
        ("HRNetW30", "hrnet_w30.ms_in1k", "78.20 % top-1", None),
        ("HRNetW32", "hrnet_w32.ms_in1k", "78.45 % top-1", None),
        ("HRNetW40", "hrnet_w40.ms_in1k", "78.93 % top-1", None),
        (
            "HRNetW44",
            "hrnet_w44.ms_in1k",
            "78.89 % top-1",
            "43df38c066d1f0922c59d530d8bd705048c5399c110906485bafc40a62130e33",
        ),
        ("HRNetW48", "hrnet_w48.ms_in1k", "79.33 % top-1", None),
        ("HRNetW48", "hrnet_w48_ssld.paddle_in1k", "84.48 % top-1, 288 pixels", None),
        ("HRNetW64", "hrnet_w64.ms_in1k", "79.46 % top-1", None),
    ):
        name = model.removeprefix("hrnet_").removesuffix("_in1k").replace("ssld.paddle", "ssld").replace(".", "_")
        yield _row(
            f"timm_hub_{name}",
            variant,
            "model.safetensors",
            url=f"{_HUB}/{model}/resolve/main/model.safetensors",
            page=f"{_HUB}/{model}",
            sha256=sha256,
            licence="Apache-2.0" if "gluon" in model else "MIT",
            source="huggingface/pytorch-image-models, results/results-imagenet.csv",
            score=score,
        )


def _mmlab():
    # mmcv/model_zoo/open_mmlab.json. Three are the official files under another name: their digits are the same.
    for variant, stem, start, head in (
        ("HRNetW18SmallV2", "hrnetv2_w18_small", "b5a04e21", None),
        ("HRNetW18", "hrnetv2_w18", "00eb2006", "classification"),
        ("HRNetW32", "hrnetv2_w32", "dc9eeb4f", "classification"),
        ("HRNetW40", "hrnetv2_w40", "ed0b031c", "classification"),
        ("HRNetW48", "hrnetv2_w48", "d2186c55", None),
    ):
        file = f"{stem}-{start}.pth"
        yield _row(
            f"mmlab_{stem.removeprefix('hrnetv2_')}",
            variant,
            file,
            head=head,
            num_classes=1000 if head else None,
            url=f"{_MMLAB}/{file}",
            page="https://github.com/open-mmlab/mmcv",
            sha256_start=start,
            source="open-mmlab/mmcv, mmcv/model_zoo/open_mmlab.json",
        )


def _openseg():
    for variant, stem in (
        ("HRNetW18", "hrnetv2_w18_imagenet_pretrained"),
        ("HRNetW32", "hrnetv2_w32_imagenet_pretrained"),
        ("HRNetW48", "hrnetv2_w48_imagenet_pretrained"),
    ):
        yield _row(
            f"openseg_{variant.removeprefix('HRNet').lower()}_imagenet",
            variant,
            f"{stem}.pth",
            url=f"{_OPENSEG}/download/openseg-pytorch-pretrained/{stem}.pth",
            page=f"{_OPENSEG}/tag/openseg-pytorch-pretrained",
            licence="repository: CC0-1.0",
            source="openseg-group/openseg.pytorch, MODEL_ZOO.md",
        )
