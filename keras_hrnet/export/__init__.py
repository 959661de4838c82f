"""Networks as files that run elsewhere, each compared with Keras before it is kept."""

from keras_hrnet.export.litert import run_tflite
from keras_hrnet.export.report import ExportReport
from keras_hrnet.export.tflite import export_tflite

__all__ = ["ExportReport", "export_tflite", "run_tflite"]
