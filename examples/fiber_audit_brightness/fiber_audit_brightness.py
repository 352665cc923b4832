"""An extractor that sees nothing but the mean of each colour channel."""

from fiber_audit import hookimpl
from fiber_audit.contracts import Extractor


@hookimpl
def fiber_audit_extractors():
    return {"brightness": "fiber_audit_brightness:Brightness"}


class Brightness(Extractor):
    feature_size = 3

    def __init__(self):
        import torch  # here, so that listing plugins stays instant

        self.network = torch.nn.AdaptiveAvgPool2d(1)

    def features(self, x):  # (n, 3, h, w) in [0, 1] -> (n, 3)
        return self.network(x).flatten(1)
