"""Videos and cameras: read, predicted and written while each waits for the others as little as possible."""

from keras_hrnet.evaluation.video.prediction import PredictedFrame, predict_video

__all__ = ["PredictedFrame", "predict_video"]
