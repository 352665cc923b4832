"""Networks by the names that their libraries give them, with the libraries' own preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer the networks of timm, torchvision, transformers and open_clip, and of files."""
    return {
        "efficientnet-lite0": "fiber_audit_hub.efficientnet_lite0:EfficientNetLite0",
        "exported": "fiber_audit_hub.exported:ExportedExtractor",
        "onnx": "fiber_audit_hub.onnx_model:OnnxExtractor",
        "open-clip": "fiber_audit_hub.open_clip_towers:OpenClipExtractor",
        "timm": "fiber_audit_hub.timm_models:TimmExtractor",
        "torch-module": "fiber_audit_hub.torch_module:TorchModuleExtractor",
        "torchvision": "fiber_audit_hub.torchvision_models:TorchvisionExtractor",
        "transformers": "fiber_audit_hub.transformers_towers:TransformersExtractor",
    }
