"""Builds the published PyTorch networks from checkouts of their repositories; for `speed_worker.py`.

HRNet requires a checkout of HRNet/HRNet-Semantic-Segmentation (branch HRNet-OCR). HRFormer and Lite-HRNet require a
folder with checkouts of HRNet/HRFormer in `hrformer` and of HRNet/Lite-HRNet in `lite`, and `pip install einops yacs`.
This file replaces the modules that the last two import from timm, mmcv and mmpose, and for logging.
"""

import importlib
import importlib.util
import pathlib
import sys
import types

import numpy as np
import torch
from torch import nn

from keras_hrnet.families import VARIANTS, HRFormerVariant, LiteVariant

STEM_CHANNELS = 32
REDUCTION = 8
RELU = {"type": "ReLU"}


def published_network(reference, name, num_classes):
    """Builds a published network.

    Args:
        reference: the folder with the published code.
        name: name of the network in this package.
        num_classes: number of classes.

    Returns:
        A module from normalized images, channels first, to a list of logits of any size: the main logits first, and
        then the auxiliary logits, if there are any.
    """
    torch.nn.SyncBatchNorm = torch.nn.BatchNorm2d  # `SyncBatchNorm` does not train on a CPU.
    np.int = int  # The published code is older than NumPy 1.24.
    variant = VARIANTS[name]
    families = ((HRFormerVariant, hrformer), (LiteVariant, lite_hrnet))
    build = next((build for kind, build in families if isinstance(variant, kind)), hrnet)
    return build(pathlib.Path(reference), variant, num_classes)


class MainFirst(nn.Module):
    """Converts the result of a published network to a list of logits, the main logits first."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        logits = self.network(x)
        return list(logits)[::-1] if isinstance(logits, list | tuple) else [logits]


def hrnet(reference, variant, num_classes):
    """Builds HRNet by HRNet-Semantic-Segmentation, lib/models/seg_hrnet.py."""
    sys.path.insert(0, str(reference / "lib"))

    def stage(modules, branches, block="BASIC", blocks=variant.blocks, widths=variant.widths):
        return {
            "NUM_MODULES": modules,
            "NUM_BRANCHES": branches,
            "BLOCK": block,
            "NUM_BLOCKS": [blocks] * branches,
            "NUM_CHANNELS": list(widths[:branches]),
            "FUSE_METHOD": "SUM",
        }

    class Extra(dict):
        FINAL_CONV_KERNEL = 1  # Accessed as an attribute, unlike the stages.

    extra = Extra(STAGE1=stage(1, 1, "BOTTLENECK", variant.stage1_blocks, (variant.stage1_filters,)))
    extra.update({f"STAGE{i + 2}": stage(modules, i + 2) for i, modules in enumerate(variant.modules)})
    model = types.SimpleNamespace(EXTRA=extra, ALIGN_CORNERS=False)
    config = types.SimpleNamespace(MODEL=model, DATASET=types.SimpleNamespace(NUM_CLASSES=num_classes))
    return MainFirst(importlib.import_module("models.seg_hrnet").HighResolutionNet(config))


def hrformer(reference, variant, num_classes):
    """Builds HRFormer by seg/lib/models/nets/hrt.py, with the head "OCR V2", whose logits have the image's size."""
    architecture = {"HRFormerSmall": "hrt_small", "HRFormerBase": "hrt_base"}[variant.name]
    root = reference / "hrformer" / "seg"
    for name in ("", ".models", ".models.backbones", ".models.backbones.hrt", ".models.backbones.hrt.modules"):
        package(f"lib{name}", root / f"lib{name}".replace(".", "/"))
    for name in ("nets", "modules", "tools"):
        package(f"lib.models.{name}", root / "lib" / "models" / name)
    for name in ("timm", "timm.models", "torchvision", "torchvision.models", "lib.utils", "lib.utils.tools"):
        package(name)
    package("timm.models.registry", register_model=lambda function: function)
    package("timm.models.layers", to_2tuple=lambda x: (x, x), trunc_normal_=nn.init.trunc_normal_, DropPath=DropPath)
    package("torchvision.models.utils", load_state_dict_from_url=None)
    package("lib.utils.distributed")
    package("lib.utils.tools.logger", Logger=Silent())
    configs = importlib.import_module("lib.models.backbones.hrt.hrt_config").MODEL_CONFIGS
    backbone = importlib.import_module("lib.models.backbones.hrt.hrt_backbone").HighResolutionTransformer

    class BackboneSelector:
        def __init__(self, configer):
            pass

        def get_backbone(self):
            return backbone(configs[architecture])

    package("lib.models.backbones.backbone_selector", BackboneSelector=BackboneSelector)
    networks = importlib.import_module("lib.models.nets.hrt")
    build = networks.HRT_SMALL_OCR_V2 if "small" in architecture else networks.HRT_BASE_OCR_V2
    values = {"num_classes": num_classes, "bn_type": "torchbn"}
    return MainFirst(build(types.SimpleNamespace(get=lambda _, key: values[key])))


def lite_hrnet(reference, variant, num_classes):
    """Builds Lite-HRNet by models/backbones/litehrnet.py, with a 1x1 convolution to logits instead of to key points."""
    package("mmcv", is_tuple_of=lambda values, kind: isinstance(values, tuple))
    package(
        "mmcv.cnn",
        ConvModule=ConvModule,
        DepthwiseSeparableConvModule=SeparableConvModule,
        build_conv_layer=lambda _, *args, **kwargs: nn.Conv2d(*args, **kwargs),
        build_norm_layer=lambda _, channels: ("bn", nn.BatchNorm2d(channels)),
        constant_init=None,
        normal_init=None,
    )
    for name in ("mmpose", "mmpose.models", "mmpose.models.backbones"):
        package(name)
    package("mmpose.utils", get_root_logger=None)
    registry = types.SimpleNamespace(register_module=lambda *args, **kwargs: lambda kind: kind)
    package("mmpose.models.registry", BACKBONES=registry)
    package("mmpose.models.backbones.resnet", BasicBlock=None, Bottleneck=None)
    package("mmpose.models.backbones.utils", load_checkpoint=None, channel_shuffle=channel_shuffle)
    path = reference / "lite" / "models" / "backbones" / "litehrnet.py"
    spec = importlib.util.spec_from_file_location("litehrnet", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kind = {"weighting": "LITE", "shuffle": "NAIVE"}[variant.block]
    stages = {
        "num_modules": variant.modules,
        "num_branches": (2, 3, 4),
        "num_blocks": (variant.blocks,) * 3,
        "module_type": (kind,) * 3,
        "with_fuse": (True,) * 3,
        "reduce_ratios": (REDUCTION,) * 3,
        "num_channels": tuple(variant.widths[:number] for number in (2, 3, 4)),
    }
    stem = {"stem_channels": STEM_CHANNELS, "out_channels": STEM_CHANNELS, "expand_ratio": 1}
    backbone = module.LiteHRNet({"stem": stem, "num_stages": 3, "stages_spec": stages, "with_head": True})
    return LiteSegmenter(backbone, variant.width, num_classes)


class LiteSegmenter(nn.Module):
    def __init__(self, backbone, width, num_classes):
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, x):
        return [self.classifier(self.backbone(x)[0])]


def package(name, folder=None, **attributes):
    """Registers an empty module, or a package whose `__init__` is not run."""
    module = sys.modules.setdefault(name, types.ModuleType(name))
    module.__path__ = [] if folder is None else [str(folder)]
    for key, value in attributes.items():
        setattr(module, key, value)


class Silent:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


class DropPath(nn.Module):
    """Replaces timm's `DropPath`: training skips the path for random samples."""

    def __init__(self, share=0.0):
        super().__init__()
        self.share = share

    def forward(self, x):
        if not self.share or not self.training:
            return x
        kept = x.new_empty((len(x), *[1] * (x.ndim - 1))).bernoulli_(1 - self.share)
        return x * kept.div_(1 - self.share)


class ConvModule(nn.Module):
    """Replaces mmcv's `ConvModule`: a convolution, an optional normalization, and an optional activation."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        groups=1,
        conv_cfg=None,
        norm_cfg=None,
        act_cfg=RELU,
    ):
        super().__init__()
        has_bias = norm_cfg is None
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=has_bias)
        self.bn = nn.Identity() if has_bias else nn.BatchNorm2d(out_channels)
        kinds = {"ReLU": lambda: nn.ReLU(inplace=True), "Sigmoid": nn.Sigmoid}
        self.activate = kinds[act_cfg["type"]]() if act_cfg else nn.Identity()

    def forward(self, x):
        return self.activate(self.bn(self.conv(x)))


class SeparableConvModule(nn.Module):
    """Replaces mmcv's `DepthwiseSeparableConvModule`: a depthwise and a 1x1 convolution."""

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, norm_cfg, act_cfg, dw_act_cfg, pw_act_cfg
    ):
        super().__init__()
        size = kernel_size, stride, padding
        self.depthwise_conv = ConvModule(in_channels, in_channels, *size, in_channels, None, norm_cfg, dw_act_cfg)
        self.pointwise_conv = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=pw_act_cfg)

    def forward(self, x):
        return self.pointwise_conv(self.depthwise_conv(x))


def channel_shuffle(x, groups):
    """Replaces mmpose's `channel_shuffle`."""
    batch, channels, height, width = x.shape
    x = x.view(batch, groups, channels // groups, height, width)
    return x.transpose(1, 2).contiguous().view(batch, -1, height, width)
