"""The layers that the networks consist of; each can also be used separately."""

from keras_hrnet.layers.branch import Branch
from keras_hrnet.layers.channel_weighting import (
    ConditionalChannelWeighting,
    CrossResolutionWeighting,
    SpatialWeighting,
)
from keras_hrnet.layers.convolution import ConvNorm, Convolution
from keras_hrnet.layers.depthwise import DepthwiseConvNorm, DepthwiseConvolution
from keras_hrnet.layers.fuse import FuseLayer, SeparableFuse
from keras_hrnet.layers.lite import IterativeUpsampling, LiteFuse, LiteModule, LiteStem, LiteTransition
from keras_hrnet.layers.map_layer import FoldableLayer, MapLayer
from keras_hrnet.layers.normalization import BatchNorm
from keras_hrnet.layers.normalize import Normalize
from keras_hrnet.layers.object_context import ObjectAttention, ObjectContext, SpatialGather
from keras_hrnet.layers.pyramid import PyramidConvolution
from keras_hrnet.layers.residual import BasicBlock, Bottleneck, DepthwiseBottleneck
from keras_hrnet.layers.resize import Resize, ResizeConcatenate, resize
from keras_hrnet.layers.scales import Rescale, ScaleAttention, ScaleBlend
from keras_hrnet.layers.self_attention import InterlacedAttention, InterlacedContext, SelfAttention
from keras_hrnet.layers.separable import SeparableConvNorm
from keras_hrnet.layers.shuffle import ChannelShuffle, ShuffleUnit
from keras_hrnet.layers.stage import HighResolutionModule, Stage
from keras_hrnet.layers.stem import Stem
from keras_hrnet.layers.supervision import Supervision
from keras_hrnet.layers.transformer import FeedForward, StochasticDepth, TransformerBlock
from keras_hrnet.layers.transformer_stage import TransformerBranch, TransformerModule, TransformerStage
from keras_hrnet.layers.transition import Transition
from keras_hrnet.layers.window_attention import WindowAttention

__all__ = [
    "BasicBlock",
    "BatchNorm",
    "Bottleneck",
    "Branch",
    "ChannelShuffle",
    "ConditionalChannelWeighting",
    "ConvNorm",
    "Convolution",
    "CrossResolutionWeighting",
    "DepthwiseBottleneck",
    "DepthwiseConvNorm",
    "DepthwiseConvolution",
    "FeedForward",
    "FoldableLayer",
    "FuseLayer",
    "HighResolutionModule",
    "InterlacedAttention",
    "InterlacedContext",
    "IterativeUpsampling",
    "LiteFuse",
    "LiteModule",
    "LiteStem",
    "LiteTransition",
    "MapLayer",
    "Normalize",
    "ObjectAttention",
    "ObjectContext",
    "PyramidConvolution",
    "Rescale",
    "Resize",
    "ResizeConcatenate",
    "ScaleAttention",
    "ScaleBlend",
    "SelfAttention",
    "SeparableConvNorm",
    "SeparableFuse",
    "ShuffleUnit",
    "SpatialGather",
    "SpatialWeighting",
    "Stage",
    "Stem",
    "StochasticDepth",
    "Supervision",
    "TransformerBlock",
    "TransformerBranch",
    "TransformerModule",
    "TransformerStage",
    "Transition",
    "WindowAttention",
    "resize",
]
