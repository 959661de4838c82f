"""Exports networks to files that run elsewhere, each of which is compared with Keras before it is kept."""

from keras_hrnet.export.exported import ExportedNetwork
from keras_hrnet.export.formats import read_metadata
from keras_hrnet.export.litert import run_tflite
from keras_hrnet.export.npu import NpuFile, NpuReport, compile_for_npu
from keras_hrnet.export.onnx import export_onnx
from keras_hrnet.export.openvino import export_openvino
from keras_hrnet.export.report import ExportReport, ServingReport
from keras_hrnet.export.saved_model import export_saved_model
from keras_hrnet.export.tflite import export_tflite
from keras_hrnet.export.web import export_web, write_web_page

__all__ = [
    "ExportReport",
    "ExportedNetwork",
    "NpuFile",
    "NpuReport",
    "ServingReport",
    "compile_for_npu",
    "export_onnx",
    "export_openvino",
    "export_saved_model",
    "export_tflite",
    "export_web",
    "read_metadata",
    "run_tflite",
    "write_web_page",
]
