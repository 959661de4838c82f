"""The published recipes, recipes for your own images, and functions that change their settings."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any

from keras_hrnet.suggestion import suggestion
from keras_hrnet.training.recipe import Recipe
from keras_hrnet.training.settings import parsed

RECIPES: Mapping[str, Recipe] = types.MappingProxyType(
    {
        "cityscapes": Recipe(
            source="HRNet-Semantic-Segmentation, branch HRNet-OCR, experiments/cityscapes/seg_hrnet_w48_train_"
            "512x1024_sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml. The power comes from lib/utils/utils.py, the scales from "
            "lib/datasets/base_dataset.py, and the class weights from lib/datasets/cityscapes.py. Published result "
            "from ImageNet weights: HRNetW48, 80.9 % mIoU (README).",
        ),
        "cityscapes_ohem": Recipe(
            source="HRNet-Semantic-Segmentation, branch HRNet-OCR, experiments/cityscapes/seg_hrnet_w48_train_ohem_"
            "512x1024_sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml. There, each of four processes selects pixels from its "
            "own 3 images.",
            loss="ohem",
        ),
        "cityscapes_small": Recipe(
            source="HRNet-Semantic-Segmentation, branch pytorch-v1.1, experiments/cityscapes/seg_hrnet_w18_small_v2_"
            "512x1024_sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml, and the file for v1. The settings are those of W48. "
            "Published results from ImageNet weights: HRNetW18Small, 70.3 % mIoU; HRNetW18SmallV2, 76.2 % mIoU "
            "(README).",
        ),
        "cityscapes_ocr": Recipe(
            source="HRNet-Semantic-Segmentation, branch HRNet-OCR, experiments/cityscapes/seg_hrnet_ocr_w48_train_"
            "512x1024_sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml. The network stores the weight of the auxiliary loss, "
            "0.4. Published result from ImageNet weights: HRNetW48 with align_corners=True, 81.6 % mIoU (README).",
        ),
        "hierarchical": Recipe(
            source="NVIDIA semantic-segmentation, scripts/train_cityscapes.yml. The weight decay, the scales, the "
            "color changes of 0.25 and the class-uniform half come from its train.py. Its learning rate falls once "
            "per epoch, and here with each update. The network stores the weights of the losses: 0.05 for each scale "
            "and 0.4 for the auxiliary loss. Published result with fine labels, two scales, and weights trained on "
            "Mapillary Vistas: 84.7 % mIoU (README).",
            epochs=175,
            batch_size=8,
            learning_rate=5e-3,
            power=2.0,
            weight_decay=1e-4,
            loss="rmi",
            class_weights=None,
            crop_size=(1024, 2048),
            scales=(0.5, 2.0),
            scale_step=None,
            brightness=0.25,
            contrast=0.25,
            saturation=0.25,
            hue=0.25,
            class_uniform=0.5,
        ),
        "hrformer": Recipe(
            source="HRNet/HRFormer, seg/scripts/cityscapes/hrt/run_hrt_small_ocr_v2_ohem.sh and seg/configs/"
            "cityscapes/H_48_D_4.json: 80,000 updates of 8 images, which are 216 epochs. There, each process selects "
            "100,000 pixels from its own images, the aspect ratio is changed by a factor of 0.9 to 1.1, and brightness "
            "is shifted by up to 10 of 255; here, the aspect ratio is kept, and brightness is scaled. The network "
            "stores the weight of the auxiliary loss, 0.4, and stochastic depth. Published results from ImageNet "
            "weights: HRFormerSmall, 80.0 % mIoU; HRFormerBase, 81.4 % mIoU (README).",
            epochs=216,
            batch_size=8,
            optimizer="adamw",
            learning_rate=1e-4,
            warmup_steps=1500,
            weight_decay=0.01,
            loss="ohem",
            ohem_min_kept=100_000,
            scales=(0.5, 2.0),
            scale_step=None,
            brightness=0.04,
        ),
        "lite_hrnet": Recipe(
            source="PaddleSeg, configs/mobileseg/mobileseg_litehrnet18_cityscapes_1024x512_80k.yml: 80,000 updates of "
            "four times 4 images, which are 430 epochs. There, each process selects 130,000 pixels from its own "
            "images, the colors of half of the images are changed by up to 0.5, and the head is another one, "
            "MobileSeg, with three outputs. Published result of that head from PaddleSeg's ImageNet weights: "
            "Lite-HRNet-18, 70.75 % mIoU (README). No published code trains the iterative head for segmentation.",
            epochs=430,
            batch_size=16,
            learning_rate=5e-3,
            warmup_steps=1000,
            loss="ohem",
            ohem_threshold=0.7,
            ohem_min_kept=130_000,
            class_weights=None,
            scales=(0.5, 2.0),
            scale_step=0.25,
            brightness=0.5,
            contrast=0.5,
            saturation=0.5,
        ),
        "fine_tuning": Recipe(
            source="For a few hundred images and one GPU, starting from weights for another data set. The learning "
            "rate, the ten times higher rate of the head and the weight decay come from HRNet-Semantic-Segmentation, "
            "experiments/pascal_ctx/seg_hrnet_ocr_w48_cls59_520x520_sgd_lr1e-3_wd1e-4_bs_16_epoch200.yaml. The number "
            "of updates, the batches of 8 in two halves, the warm-up and the averaged weights are choices of this "
            "package, without a published result.",
            epochs=None,
            updates=2500,
            repeats=None,
            batch_size=None,
            gradient_accumulation=2,
            learning_rate=1e-3,
            head_rate=10.0,
            weight_decay=1e-4,
            warmup_epochs=1.0,
            class_weights=None,
            ema=0.99,
            validate_every=None,
            crop_size=None,
        ),
        "from_scratch": Recipe(
            source="For your own images, starting from random weights. The continuous scales and the color changes of "
            "0.25 come from NVIDIA semantic-segmentation, train.py, and the class weights from ENet. AdamW and the "
            "other settings are choices of this package, without a published result.",
            epochs=None,
            updates=10000,
            repeats=None,
            batch_size=None,
            optimizer="adamw",
            learning_rate=2e-3,
            weight_decay=0.02,
            warmup_epochs=1.0,
            class_weights="enet",
            validate_every=None,
            crop_size=None,
            scales=(0.5, 2.0),
            scale_step=None,
            brightness=0.25,
            contrast=0.25,
            saturation=0.25,
            hue=0.25,
        ),
    }
)


def resolve_recipe(recipe: str | Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Finds a recipe, and changes some of its settings.

    Args:
        recipe: a name in `RECIPES`, or a recipe.
        settings: other values for its fields, by name.

    Raises:
        TypeError: if `recipe` is neither, or a setting has the wrong type.
        ValueError: if there is no such recipe or setting, or a setting is out of range.
    """
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise ValueError(
                f"Received recipe={recipe!r}. Expected one of {', '.join(RECIPES)}.{suggestion(recipe, RECIPES)}"
            )
        recipe = RECIPES[recipe]
    if not isinstance(recipe, Recipe):
        raise TypeError(
            f"Received a recipe of type {type(recipe).__name__}. Expected a name ({', '.join(RECIPES)}) or a "
            "`keras_hrnet.training.Recipe`. Pass one of them."
        )
    known = [field.name for field in dataclasses.fields(Recipe)]
    for name in settings:
        if name not in known:
            raise ValueError(
                f"Received the setting {name!r}. Expected one of {', '.join(known)}.{suggestion(name, known)}"
            )
    return dataclasses.replace(recipe, **settings)


def parse_setting(text: str) -> tuple[str, Any]:
    """Parses a setting from the command line, `name=value`, and returns its name and value.

    Args:
        text: such as "learning_rate=0.02", "crop_size=512x1024", "class_weights=1,2,0.5" or "ema=none".

    Raises:
        ValueError: if there is no such setting, or its value has another type.
    """
    name, equals, value = text.partition("=")
    fields = {field.name: field.type for field in dataclasses.fields(Recipe)}
    if not equals or name not in fields:
        expected = ", ".join(fields)
        raise ValueError(
            f"Received --set {text!r}. Expected name=value, with a name of {expected}.{suggestion(name, fields)}"
        )
    return name, parsed(name, value, fields[name])
