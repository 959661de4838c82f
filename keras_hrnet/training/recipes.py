"""Recipes: every number of a training, with where it comes from."""

import dataclasses
import types

from keras_hrnet.data_sets.cityscapes import CLASS_WEIGHTS
from keras_hrnet.training.losses import CrossEntropy, OhemCrossEntropy, RegionMutualInformation
from keras_hrnet.training.schedule import Poly
from keras_hrnet.training.settings import parsed, require, suggestion, typed
from keras_hrnet.training.sgd import SGD

LOSSES = ("cross_entropy", "ohem", "rmi")
# What has no 19 classes has none of Cityscapes's weights.
CITYSCAPES_WEIGHTS = "cityscapes"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """The numbers of a training. What is not said is as in the published training of HRNetW48 on Cityscapes.

    Args:
        source: where the numbers come from, and what they were published to reach.
        epochs: times that the training images are gone through.
        batch_size: images behind an update of the weights, over all accumulated batches.
        gradient_accumulation: batches that are added up for an update, each of `batch_size / gradient_accumulation`
            images, for less memory. Batch normalisation sees the small batches.
        learning_rate: of the first update after the warm-up.
        head_rate: factor of the learning rate of all layers behind the backbone.
        power: how the learning rate falls to zero: see `Poly`.
        warmup_epochs: epochs, or a part of one, in which the learning rate rises.
        momentum: of the velocity.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: added of each weight to its gradient.
        clip_norm: largest length of the gradient of all weights together; None does not limit it.
        loss: "cross_entropy", "ohem" (hard pixels alone) or "rmi" (region mutual information).
        class_weights: "cityscapes" for the 19 published ones, a number for each class, or None. "rmi" has none.
        ohem_threshold: of "ohem": pixels whose class has a lower probability are hard.
        ohem_min_kept: of "ohem": pixels of a batch that are kept at least. The published run had 3 images in each.
        ema: what is kept of the average of the weights in an update, below 1; the average is validated and saved. None
            averages nothing.
        freeze_norm: whether batch normalisation keeps statistics, scale and offset: for batches of one or two images.
        validate_every: epochs from one validation to the next.
        crop_size: (height, width) of training images, in pixels.
        scales: least and largest factor of the size of training images.
        scale_step: distance of the factors; None draws any between.
        flip: how likely an image is mirrored.
        brightness: largest change of training images, as a share; contrast, saturation and hue likewise.
        contrast: see brightness.
        saturation: see brightness.
        hue: see brightness.
        class_uniform: share of an epoch that is drawn around each class in turn.

    Raises:
        TypeError: if a setting is of the wrong kind.
        ValueError: if a setting is out of range, or two do not go together.
    """

    source: str
    epochs: int = 484
    batch_size: int = 12
    gradient_accumulation: int = 1
    learning_rate: float = 0.01
    head_rate: float = 1.0
    power: float = 0.9
    warmup_epochs: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    clip_norm: float | None = None
    loss: str = "cross_entropy"
    class_weights: str | tuple[float, ...] | None = CITYSCAPES_WEIGHTS
    ohem_threshold: float = 0.9
    ohem_min_kept: int = 131072
    ema: float | None = None
    freeze_norm: bool = False
    validate_every: int = 1
    crop_size: tuple[int, int] = (512, 1024)
    scales: tuple[float, float] = (0.5, 2.1)
    scale_step: float | None = 0.1
    flip: float = 0.5
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    class_uniform: float = 0.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, typed(field.name, getattr(self, field.name), field.type))
        for name, least in (
            *((name, 1) for name in ("epochs", "batch_size", "gradient_accumulation", "validate_every")),
            *((name, 0) for name in ("warmup_epochs", "weight_decay", "head_rate", "power", "momentum")),
        ):
            require(getattr(self, name) >= least, name, getattr(self, name), f"at least {least}")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a number above 0")
        require(self.loss in LOSSES, "loss", self.loss, f"one of {LOSSES}")
        require(self.ema is None or 0 < self.ema < 1, "ema", self.ema, "None, or a number between 0 and 1")
        require(
            not isinstance(self.class_weights, str) or self.class_weights == CITYSCAPES_WEIGHTS,
            "class_weights",
            self.class_weights,
            f"{CITYSCAPES_WEIGHTS!r}, a number for each class, or None",
        )
        if self.batch_size % self.gradient_accumulation:
            raise ValueError(
                f"Received batch_size={self.batch_size} with gradient_accumulation={self.gradient_accumulation}. "
                f"Expected a multiple of it. Pass one of {_divisors(self.batch_size)} for gradient_accumulation."
            )
        within = self.validate_every <= self.epochs
        require(within, "validate_every", self.validate_every, f"at most {self.epochs}, the number of epochs")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"Received warmup_epochs={self.warmup_epochs} with epochs={self.epochs}. Expected less. Train longer, "
                "or pass warmup_epochs=0."
            )

    @property
    def images_at_once(self):
        """Images in the memory of the device at a time, over all processes."""
        return self.batch_size // self.gradient_accumulation

    def data_arguments(self):
        """Returns what `cityscapes` or `folders` take for the training data of the recipe: keyword arguments."""
        names = ("crop_size", "scales", "scale_step", "flip", "brightness", "contrast", "saturation", "hue")
        return {
            "batch_size": self.images_at_once,
            "class_uniform": self.class_uniform,
            **{name: getattr(self, name) for name in names},
        }

    def optimizer(self, num_batches, head_pattern):
        """Makes the optimizer.

        Args:
            num_batches: in an epoch.
            head_pattern: regular expression of the paths of the weights behind the backbone.

        Returns:
            An `SGD` under a `Poly` schedule.

        Raises:
            ValueError: if the whole training has no update.
        """
        steps = self.epochs * num_batches // self.gradient_accumulation
        if steps < 1:
            raise ValueError(
                f"Received gradient_accumulation={self.gradient_accumulation} for {self.epochs} epochs of "
                f"{num_batches} batches. Expected one update at least. Train longer, or accumulate less."
            )
        warmup = min(round(self.warmup_epochs * num_batches / self.gradient_accumulation), steps - 1)
        return SGD(
            Poly(self.learning_rate, steps, self.power, warmup),
            self.momentum,
            self.nesterov,
            self.weight_decay,
            rate_factors=None if self.head_rate == 1 else {head_pattern: self.head_rate},
            global_clipnorm=self.clip_norm,
            use_ema=self.ema is not None,
            ema_momentum=self.ema or 0.99,
            gradient_accumulation_steps=self.gradient_accumulation if self.gradient_accumulation > 1 else None,
        )

    def loss_function(self, num_classes, data_format):
        """Makes the loss.

        Args:
            num_classes: of the network.
            data_format: where the channels of the logits are.

        Returns:
            A `keras.losses.Loss`.

        Raises:
            ValueError: if the class weights are for another number of classes.
        """
        if self.loss == "rmi":
            return RegionMutualInformation(num_classes, data_format=data_format)
        weights = CLASS_WEIGHTS if self.class_weights == CITYSCAPES_WEIGHTS else self.class_weights
        if weights is not None and len(weights) != num_classes:
            raise ValueError(
                f"The recipe has class_weights={self.class_weights!r}, {len(weights)} numbers, for a network with "
                f"{num_classes} classes. Expected one a class. Pass class_weights=None, or what "
                "`keras_hrnet.data.class_weights` computes."
            )
        common = {"class_weights": weights, "data_format": data_format}
        if self.loss == "ohem":
            return OhemCrossEntropy(self.ohem_threshold, self.ohem_min_kept, **common)
        return CrossEntropy(**common)

    def __str__(self):
        width = max(len(field.name) for field in dataclasses.fields(self))
        rows = [f"{f.name:<{width}}  {getattr(self, f.name)}" for f in dataclasses.fields(self) if f.name != "source"]
        return "\n".join([self.source, *rows])


RECIPES = types.MappingProxyType(
    {
        "cityscapes": Recipe(
            source="HRNet-Semantic-Segmentation, branch HRNet-OCR, experiments/cityscapes/seg_hrnet_w48_train_512x1024_"
            "sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml; power: lib/utils/utils.py; scales: lib/datasets/base_dataset.py; "
            "class weights: lib/datasets/cityscapes.py. HRNetW48 from ImageNet weights: 80.9 % mIoU (README).",
        ),
        "cityscapes_ohem": Recipe(
            source="The same, seg_hrnet_w48_train_ohem_512x1024_sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml, where each of "
            "four processes keeps the pixels of its own 3 images.",
            loss="ohem",
        ),
        "cityscapes_small": Recipe(
            source="HRNet-Semantic-Segmentation, branch pytorch-v1.1, experiments/cityscapes/seg_hrnet_w18_small_v2_"
            "512x1024_sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml, and v1 likewise: the numbers of W48. From ImageNet "
            "weights: HRNetW18Small 70.3 %, HRNetW18SmallV2 76.2 % mIoU (README).",
        ),
        "cityscapes_ocr": Recipe(
            source="HRNet-Semantic-Segmentation, branch HRNet-OCR, experiments/cityscapes/seg_hrnet_ocr_w48_train_"
            "512x1024_sgd_lr1e-2_wd5e-4_bs_12_epoch484.yaml; the weight of the auxiliary loss, 0.4, is in the network. "
            "HRNetW48 with align_corners=True from ImageNet weights: 81.6 % mIoU (README).",
        ),
        "hierarchical": Recipe(
            source="NVIDIA semantic-segmentation, scripts/train_cityscapes.yml; weight decay, scales, colour changes "
            "of 0.25 and class-uniform half: its train.py. Its power counts epochs, ours updates; the 0.05 of the "
            "scales and the 0.4 of the auxiliary loss are in the network. From weights of Mapillary Vistas, which "
            "cannot be had here, and two scales: 84.7 % mIoU with fine labels alone (README).",
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
        "fine_tuning": Recipe(
            source="For a few hundred images and one GPU, from the weights of another data set. Learning rate, the ten "
            "times faster head and the weight decay: HRNet-Semantic-Segmentation, experiments/pascal_ctx/seg_hrnet_ocr_"
            "w48_cls59_520x520_sgd_lr1e-3_wd1e-4_bs_16_epoch200.yaml. Ours, without a published result: 100 epochs, "
            "batches of 8 in two halves, the warm-up, the average of the weights and any number of classes.",
            epochs=100,
            batch_size=8,
            gradient_accumulation=2,
            learning_rate=1e-3,
            head_rate=10.0,
            weight_decay=1e-4,
            warmup_epochs=1.0,
            class_weights=None,
            ema=0.99,
            crop_size=(512, 512),
        ),
    }
)


def resolve_recipe(recipe, settings):
    """Finds a recipe, and changes some of its settings.

    Args:
        recipe: a name out of `RECIPES`, or a `Recipe`.
        settings: other values of its fields, a dict by name.

    Returns:
        A `Recipe`.

    Raises:
        TypeError: if it is neither, or a setting is of the wrong kind.
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


def parse_setting(text):
    """Reads a setting of the command line, `name=value`.

    Args:
        text: such as "learning_rate=0.02", "crop_size=512x1024", "class_weights=1,2,0.5" or "ema=none".

    Returns:
        A pair of the name and the value.

    Raises:
        ValueError: if there is no such setting, or it cannot have that value.
    """
    name, equals, value = text.partition("=")
    fields = {field.name: field.type for field in dataclasses.fields(Recipe)}
    if not equals or name not in fields:
        expected = ", ".join(fields)
        raise ValueError(
            f"Received --set {text!r}. Expected name=value, with a name of {expected}.{suggestion(name, fields)}"
        )
    return name, parsed(name, value, fields[name])


def _divisors(number):
    return ", ".join(str(i) for i in range(1, number + 1) if number % i == 0)
