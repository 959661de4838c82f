"""Reads, predicts and writes videos. Decoding, prediction, painting and encoding run concurrently."""

from keras_hrnet.evaluation.video.prediction import PredictedFrame, predict_video

__all__ = ["PredictedFrame", "predict_video"]
