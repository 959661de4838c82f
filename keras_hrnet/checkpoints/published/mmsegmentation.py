"""Weights for segmentation that OpenMMLab trained: FCN and OCR heads on HRNets of three sizes, nine data sets."""

from keras_hrnet.checkpoints.published.row import PublishedWeights

_FILES = "https://download.openmmlab.com/mmsegmentation/v0.5"
_PAGE = "https://github.com/open-mmlab/mmsegmentation/tree/main/configs"

# "hr18s" is the network that others call w18_small_v2: configs/hrnet/fcn_hr18s_*.py.
_VARIANTS = {"hr18s": "HRNetW18SmallV2", "hr18": "HRNetW18", "hr48": "HRNetW48"}

# configs/_base_/models/{fcn,ocrnet}_hr18.py, and num_classes of the networks' own configurations.
_NUM_CLASSES = {
    "cityscapes": 19,
    "ade20k": 150,
    "voc12aug": 21,
    "pascal_context": 60,
    "pascal_context_59": 59,
    "loveda": 7,
    "potsdam": 6,
    "vaihingen": 6,
    "isaid": 16,
}
_DATASETS = {"voc12aug": "pascal_voc", "pascal_context_59": "pascal_context"}

# configs/{hrnet,ocrnet}/metafile.yaml: network, crop, iterations and data set as in the file's name; its date; the
# first digits of its SHA-256 (tools/publish_model.py); mIoU on the validation set at a single scale.
_FCN = """
hr18s 512x1024_160k_cityscapes 20200602_190901 4a0797ea 76.31
hr18s 512x1024_80k_cityscapes 20200601_202700 1462b75d 75.31
hr18s 512x1024_40k_cityscapes 20200601_014216 93db27d0 73.86
hr18 512x1024_160k_cityscapes 20200602_190822 221e4a4f 78.80
hr18 512x1024_80k_cityscapes 20200601_223255 4e7b345e 78.65
hr18 512x1024_40k_cityscapes 20200601_014216 f196fb4e 77.19
hr48 512x1024_160k_cityscapes 20200602_190946 59b7973e 80.65
hr48 512x1024_80k_cityscapes 20200601_202606 58ea95d6 79.93
hr48 512x1024_40k_cityscapes 20200601_014240 a989b146 78.48
hr18s 512x512_160k_ade20k 20210829_174739 f1e7c2e7 33.07
hr18s 512x512_80k_ade20k 20200614_144345 77fc814a 31.38
hr18 512x512_160k_ade20k 20200614_214426 ca961836 36.79
hr18 512x512_80k_ade20k 20210827_114910 6c9382c0 36.27
hr48 512x512_160k_ade20k 20200614_214407 a52fc02c 42.02
hr48 512x512_80k_ade20k 20200614_193946 7ba5258d 41.90
hr18s 512x512_40k_voc12aug 20200614_000648 4f8d6e7f 66.61
hr18s 512x512_20k_voc12aug 20210829_174910 0aceadb4 65.50
hr18 512x512_40k_voc12aug 20200613_224401 1b4b76cd 72.90
hr18 512x512_20k_voc12aug 20200617_224503 488d45f7 72.30
hr48 512x512_40k_voc12aug 20200613_222111 1b0f18bc 76.24
hr48 512x512_20k_voc12aug 20200617_224419 89de05cd 75.87
hr48 480x480_80k_pascal_context 20200911_155322 847a6711 45.84
hr48 480x480_40k_pascal_context 20200911_164852 667d00b0 45.14
hr48 480x480_80k_pascal_context_59 20210411_003240 3ae7081e 51.12
hr48 480x480_40k_pascal_context_59 20210410_122738 b808b8b2 50.33
hr18s 512x512_80k_loveda 20211210_203228 60a86a7a 49.28
hr18 512x512_80k_loveda 20211210_203952 93d9c3b3 50.81
hr48 512x512_80k_loveda 20211211_044756 67072f55 51.42
hr18s 512x512_80k_potsdam 20211218_205517 ba32af63 77.64
hr18 512x512_80k_potsdam 20211218_205517 5d0387ad 78.26
hr48 512x512_80k_potsdam 20211219_020601 97434c78 78.39
hr18s 4x4_512x512_80k_vaihingen 20211231_230909 b23aae02 71.81
hr18 4x4_512x512_80k_vaihingen 20211231_231216 2ec3ae8a 72.57
hr48 4x4_512x512_80k_vaihingen 20211231_231244 7133cb22 72.50
hr18s 4x4_896x896_80k_isaid 20220118_001603 3cc0769b 62.30
hr18 4x4_896x896_80k_isaid 20220110_182230 49bf752e 65.06
hr48 4x4_896x896_80k_isaid 20220114_174643 547fc420 67.80
"""
_OCR = """
hr18s 512x1024_160k_cityscapes 20200602_191005 f4a7af28 78.45
hr18s 512x1024_80k_cityscapes 20200601_222735 55979e63 77.16
hr18s 4xb2-40k_cityscapes-512x1024 20230227_145026 6c052a14 76.61
hr18 512x1024_160k_cityscapes 20200602_191001 b9172d0c 79.47
hr18 512x1024_80k_cityscapes 20200614_230521 c2e1dd4a 78.57
hr18 512x1024_40k_cityscapes 20200601_033320 401c5bdd 77.72
hr48 512x1024_160k_cityscapes 20200602_191037 dfbf1b0c 81.35
hr48 512x1024_80k_cityscapes 20200601_222752 9076bcdf 80.70
hr48 512x1024_40k_cityscapes 20200601_033336 55b32491 80.58
hr18s 512x512_160k_ade20k 20200615_184505 8e913058 37.19
hr18s 512x512_80k_ade20k 20200615_055600 e80b62af 35.06
hr18 512x512_160k_ade20k 20200615_200940 d8fcd9d1 39.32
hr18 512x512_80k_ade20k 20200615_053157 d173d83b 37.79
hr48 512x512_160k_ade20k 20200615_184705 a073726d 43.25
hr48 512x512_80k_ade20k 20200615_021518 d168c2d1 43.00
hr18s 512x512_40k_voc12aug 20200614_002025 42b587ac 72.76
hr18s 512x512_20k_voc12aug 20200617_233913 02b04fcb 71.70
hr18 512x512_40k_voc12aug 20200614_015958 714302be 74.98
hr18 512x512_20k_voc12aug 20200617_233932 8954cbb7 74.75
hr48 512x512_20k_voc12aug 20200617_233932 9e82080a 77.72
hr48 512x512_40k_voc12aug 20200614_015958 255bc5ce 77.14
"""

# huggingface.co/ndkhanh95/HRNetCollection, commit 6aa574f: a copy whose SHA-256 begins with the digits in its name.
_WHOLE = {"a989b146": (264102996, "a989b1460f37e37aa64c8b133b92778870c7fdff78f0f91c6bcf61c0292eb825")}


def mmsegmentation_rows():
    """Lists the files, the best of each network and data set first."""
    fcn = (_row("fcn", "hrnet", *line.split()) for line in _FCN.split("\n") if line)
    ocr = (_row("ocr", "ocrnet", *line.split()) for line in _OCR.split("\n") if line)
    return (*fcn, *ocr)


def _row(head, folder, network, training, date, start, score):
    stem = f"{'ocrnet' if head == 'ocr' else 'fcn'}_{network}_{training}"
    file = f"{stem}_{date}-{start}.pth"
    iterations = next(part for part in training.replace("-", "_").split("_") if part.endswith("k"))
    trained_on = max((name for name in _NUM_CLASSES if name in training), key=len)
    size, sha256 = _WHOLE.get(start, (None, None))
    return PublishedWeights(
        name=f"mmseg_{head}_{network}_{trained_on.replace('pascal_', '')}_{iterations}",
        variant=_VARIANTS[network],
        head=head,
        num_classes=_NUM_CLASSES[trained_on],
        dataset=_DATASETS.get(trained_on, trained_on),
        file=file,
        url=f"{_FILES}/{folder}/{stem}/{file}",
        page=f"{_PAGE}/{folder}",
        size=size,
        sha256=sha256,
        sha256_start=start,
        licence="Apache-2.0",
        source=f"open-mmlab/mmsegmentation, configs/{folder}/metafile.yaml",
        score=f"{score} mIoU, val",
        interpolation="bilinear",
        align_corners=False,
        head_kernel_size=1,
        ocr_channels=(512, 256) if head == "ocr" else None,
    )
