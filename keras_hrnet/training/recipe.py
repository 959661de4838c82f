"""A recipe: every setting of a run, and the optimizer and the loss that follow from them."""

import dataclasses
import warnings
from collections.abc import Sequence

import keras

from keras_hrnet.data_sets import DATA_SETS, Classes
from keras_hrnet.training.adamw import AdamW
from keras_hrnet.training.choices import COUNTED, batch_for, crop_for
from keras_hrnet.training.losses import (
    CrossEntropy,
    Dice,
    LovaszSoftmax,
    OhemCrossEntropy,
    RegionMutualInformation,
    SumOfLosses,
)
from keras_hrnet.training.schedule import Poly
from keras_hrnet.training.settings import require, typed
from keras_hrnet.training.sgd import SGD

OPTIMIZERS = ("sgd", "adamw")
OVERLAP_LOSSES = {"lovasz": LovaszSoftmax, "dice": Dice}
LOSSES = ("cross_entropy", "ohem", "rmi", *OVERLAP_LOSSES, *(f"cross_entropy+{name}" for name in OVERLAP_LOSSES))
LEFT_TO_DATA = ("epochs", "repeats", "batch_size", "validate_every", "crop_size")
# The data sets whose published recipe has class weights.
WEIGHED = {"cityscapes": DATA_SETS["cityscapes"]}

# HRFormer's: seg/configs/cityscapes/H_48_D_4.json, `warm_ratio`.
WARMUP_START = 1e-6


# The types of the fields are read when a recipe is created or parsed. This file must therefore not contain
# `from __future__ import annotations`.
@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of a run. The defaults are those of the published training of HRNetW48 on Cityscapes.

    If `epochs`, `repeats`, `batch_size`, `validate_every` or `crop_size` is None, or if class weights are to be
    counted, the training data determines the value.

    Args:
        source: source of the numbers, and the result that was published with them.
        epochs: number of epochs; None for as many as `updates` needs.
        updates: number of updates of the weights, used if `epochs` is None.
        repeats: number of passes over the training images per epoch; more than one if there are few images.
        batch_size: number of images per update of the weights, over all accumulated batches.
        gradient_accumulation: number of batches whose gradients are summed for an update, each of `batch_size /
            gradient_accumulation` images, to save memory. Batch normalization sees the small batches.
        optimizer: "sgd" (see `SGD`; all weights decay) or "adamw" (see `AdamW`; weights of one dimension do not decay).
        learning_rate: learning rate of the first update after the warm-up.
        head_rate: factor of the learning rate for all layers after the backbone.
        power: exponent with which the learning rate falls to zero: see `Poly`.
        warmup_epochs: number of epochs, or fraction of an epoch, during which the learning rate rises.
        warmup_steps: instead of `warmup_epochs`, number of updates during which the learning rate rises from a
            millionth of its value; it starts to decrease after them.
        momentum: momentum of `SGD`; `beta_1` of `AdamW`.
        nesterov: whether to use Nesterov's momentum.
        weight_decay: weight decay of the optimizer.
        clip_norm: maximum norm of the gradient of all weights together; None for no limit.
        loss: "cross_entropy", "ohem" (hard pixels only), "rmi" (region mutual information), "lovasz" (Lovász-Softmax),
            "dice", or the sum "cross_entropy+lovasz" or "cross_entropy+dice".
        class_weights: "cityscapes" for the published weights of its 19 classes, "enet" or "median_frequency" for
            weights that `keras_hrnet.data.class_weights` computes from the class shares of the training labels, a
            number for each class, or None. "rmi", "lovasz" and "dice" do not use them.
        ohem_threshold: with "ohem", a pixel is hard if the probability of its true class is lower than this.
        ohem_min_kept: with "ohem", the minimum number of pixels to keep in a batch. The published run had 3 images in
            each batch.
        ema: decay of the moving average of the weights per update, below 1; the average is validated and saved. None
            computes no average.
        norm_batches: number of training batches over which the statistics of batch normalization are re-estimated for
            the average before each validation; 0 keeps the statistics of the latest steps, which several devices
            require.
        freeze_norm: whether to freeze the statistics, scale and offset of batch normalization, for batches of one or
            two images.
        distillation: with a teacher, weight of the `Distillation` that is added to the loss; 0 leaves it out.
        temperature: with a teacher, divisor of the logits of both networks: see `Distillation`.
        feature_distillation: with a teacher, weight of the `FeatureDistillation` that is added to the loss: its mean
            over the branches of each stage, and over the stages; 0 leaves it out.
        patience: number of consecutive validations without improvement after which the run stops; None never stops
            early.
        validate_every: number of epochs from one validation to the next. The last epoch is always validated.
        crop_size: (height, width) of training images, in pixels.
        scales: smallest and largest factor by which training images are resized.
        scale_step: distance between the factors; None draws any factor in the range.
        flip: probability of mirroring an image.
        brightness: largest relative change of the brightness of training images.
        contrast: largest relative change of their contrast.
        saturation: largest relative change of their saturation.
        hue: largest relative change of their hue.
        class_uniform: share of an epoch whose crops are drawn around each class in turn.

    Raises:
        TypeError: if a setting has the wrong type.
        ValueError: if a setting is out of range, or two contradict each other.
    """

    source: str
    epochs: int | None = 484
    updates: int | None = None
    repeats: int | None = 1
    batch_size: int | None = 12
    gradient_accumulation: int = 1
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    head_rate: float = 1.0
    power: float = 0.9
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    clip_norm: float | None = None
    loss: str = "cross_entropy"
    class_weights: str | tuple[float, ...] | None = "cityscapes"
    ohem_threshold: float = 0.9
    ohem_min_kept: int = 131072
    ema: float | None = None
    norm_batches: int = 20
    freeze_norm: bool = False
    distillation: float = 1.0
    temperature: float = 1.0
    feature_distillation: float = 0.0
    patience: int | None = None
    validate_every: int | None = 1
    crop_size: tuple[int, int] | None = (512, 1024)
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
        counts = ("epochs", "updates", "repeats", "batch_size", "gradient_accumulation", "validate_every", "patience")
        shares = (
            "warmup_epochs", "warmup_steps", "weight_decay", "head_rate", "power", "momentum", "norm_batches",
            "distillation", "feature_distillation",
        )  # fmt: skip
        for name, least in (*((name, 1) for name in counts), *((name, 0) for name in shares)):
            value = getattr(self, name)
            require(value is None or value >= least, name, value, f"at least {least}")
        require(bool(self.epochs or self.updates), "epochs", self.epochs, "a number, unless `updates` has one")
        for name in ("learning_rate", "temperature"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a number above 0")
        require(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, f"one of {OPTIMIZERS}")
        if self.nesterov and self.optimizer != "sgd":
            raise ValueError(
                f"Received nesterov=True with optimizer={self.optimizer!r}. Expected 'sgd', which has Nesterov's "
                "momentum. Leave nesterov out, or pass optimizer='sgd'."
            )
        require(self.loss in LOSSES, "loss", self.loss, f"one of {LOSSES}")
        require(self.ema is None or 0 < self.ema < 1, "ema", self.ema, "None, or a number between 0 and 1")
        require(
            not isinstance(self.class_weights, str) or self.class_weights in (*WEIGHED, *COUNTED),
            "class_weights",
            self.class_weights,
            f"{' or '.join(map(repr, (*WEIGHED, *COUNTED)))}, a number for each class, or None",
        )
        if self.batch_size and self.batch_size % self.gradient_accumulation:
            raise ValueError(
                f"Received batch_size={self.batch_size} with gradient_accumulation={self.gradient_accumulation}. "
                f"Expected a multiple of it. Pass one of {_divisors(self.batch_size)} for gradient_accumulation."
            )
        within = not self.epochs or not self.validate_every or self.validate_every <= self.epochs
        require(within, "validate_every", self.validate_every, f"at most {self.epochs}, the number of epochs")
        if self.epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"Received warmup_epochs={self.warmup_epochs} with epochs={self.epochs}. Expected fewer warm-up "
                "epochs. Train longer, or pass warmup_epochs=0."
            )

        if self.warmup_epochs and self.warmup_steps:
            raise ValueError(
                f"Received warmup_epochs={self.warmup_epochs} and warmup_steps={self.warmup_steps}. Expected at most "
                "one of them. Pass 0 for the other."
            )

    @property
    def images_at_once(self) -> int | None:
        """Number of images in a batch, over all processes; None if the data determines it."""
        return self.batch_size and self.batch_size // self.gradient_accumulation

    @property
    def validated_epochs(self) -> list[int]:
        """Numbers of the epochs, from 1, after which the network is validated. `epochs` must be set."""
        return sorted({*range(self.validate_every, self.epochs + 1, self.validate_every), self.epochs})

    def data_arguments(self, image_sizes: Sequence[tuple[int, int]] = ()) -> dict[str, object]:
        """Returns the keyword arguments with which `cityscapes` or `folders` make the training data of the recipe.

        Args:
            image_sizes: (height, width) of each training image, for a recipe that derives crop or batch size from
                them; the attribute `image_sizes` of the data set of whole images.

        Raises:
            ValueError: if the recipe needs image sizes, and none are given.
        """
        if None in (self.crop_size, self.batch_size) and not image_sizes:
            raise ValueError(
                f"Received no image sizes for a recipe with crop_size={self.crop_size} and "
                f"batch_size={self.batch_size}. Expected the sizes of the training images, from which crop and batch "
                "size are derived. Pass `image_sizes` of the data set of whole images, or a recipe with crop_size "
                "and batch_size."
            )
        names = ("class_uniform", "scales", "scale_step", "flip", "brightness", "contrast", "saturation", "hue")
        return {
            "batch_size": self.images_at_once or batch_for(len(image_sizes), self.gradient_accumulation),
            "crop_size": self.crop_size or crop_for(image_sizes),
            **{name: getattr(self, name) for name in names},
        }

    def make_optimizer(self, num_batches: int, head_pattern: str) -> SGD | AdamW:
        """Makes the optimizer, under a `Poly` schedule.

        Args:
            num_batches: number of batches of an epoch.
            head_pattern: regular expression of the paths of the weights after the backbone.

        Raises:
            ValueError: if the run would not have a single update.
        """
        steps = self.epochs * num_batches // self.gradient_accumulation
        if steps < 1:
            raise ValueError(
                f"Received gradient_accumulation={self.gradient_accumulation} for {self.epochs} epochs of "
                f"{num_batches} batches. Expected at least one update. Train longer, or accumulate less."
            )
        warmup = self.warmup_steps or round(self.warmup_epochs * num_batches / self.gradient_accumulation)
        start = WARMUP_START if self.warmup_steps else None
        schedule = Poly(self.learning_rate, steps, self.power, min(warmup, steps - 1), warmup_start=start)
        common = {
            "weight_decay": self.weight_decay,
            "rate_factors": None if self.head_rate == 1 else {head_pattern: self.head_rate},
            "global_clipnorm": self.clip_norm,
            "use_ema": self.ema is not None,
            "ema_momentum": self.ema or 0.99,
            "gradient_accumulation_steps": self.gradient_accumulation if self.gradient_accumulation > 1 else None,
        }
        if self.optimizer == "adamw":
            return AdamW(schedule, self.momentum, **common)
        return SGD(schedule, self.momentum, self.nesterov, **common)

    def loss_function(self, classes: Classes, data_format: str) -> keras.losses.Loss:
        """Makes the loss.

        Args:
            classes: classes of the network.
            data_format: "channels_last" or "channels_first", the format of the logits.

        Raises:
            ValueError: if the class weights are for other classes.
        """
        options = {"ignore_label": classes.ignore_label, "data_format": data_format}
        name, *added = self.loss.split("+")
        loss = self._single_loss(name, classes, options)
        return SumOfLosses([loss, *(OVERLAP_LOSSES[each](**options) for each in added)]) if added else loss

    def _single_loss(self, name, classes, options):
        if name == "rmi":
            return RegionMutualInformation(len(classes.names), **options)
        if name in OVERLAP_LOSSES:
            return OVERLAP_LOSSES[name](**options)
        options = {**options, "class_weights": self._weights_of(classes)}
        if name == "ohem":
            return OhemCrossEntropy(self.ohem_threshold, self.ohem_min_kept, **options)
        return CrossEntropy(**options)

    def _weights_of(self, classes):
        data_set = WEIGHED.get(self.class_weights)
        weights = data_set.class_weights if data_set else self.class_weights
        remedy = (
            "Pass class_weights=None, or 'enet', which counts them; on the command line, --set class_weights=none, or "
            "enet."
        )
        if weights is not None and len(weights) != len(classes.names):
            raise ValueError(
                f"The recipe has class_weights={self.class_weights!r}, {len(weights)} numbers, for a network with "
                f"{len(classes.names)} classes. Expected one for each class. {remedy}"
            )
        difference = data_set and data_set.classes.first_difference(classes)
        if not difference:
            return weights
        if classes.are_named:
            i, theirs, ours = difference
            raise ValueError(
                f"The recipe has class_weights={self.class_weights!r}, where class {i} is {theirs!r}, for a network "
                f"whose class {i} is {ours!r}. Expected weights for the network's own classes. {remedy}"
            )
        warnings.warn(
            f"The recipe has class_weights={self.class_weights!r} for {len(classes.names)} classes without names: "
            f"class i gets the weight of class i of {data_set.title}. If they are the classes of {data_set.title}, "
            f"set model.classes = {data_set.name!r}. {remedy}",
            stacklevel=5,
        )
        return weights

    def __str__(self) -> str:
        width = max(len(field.name) for field in dataclasses.fields(self))
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "source"}
        left = {name: "chosen from the data" for name in LEFT_TO_DATA if values[name] is None}
        return "\n".join([self.source, *(f"{name:<{width}}  {value}" for name, value in {**values, **left}.items())])


def _divisors(number):
    return ", ".join(str(i) for i in range(1, number + 1) if number % i == 0)
