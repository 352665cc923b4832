"""An extractor that sees nothing but the mean of each colour channel."""

from fiber_audit import hookimpl


@hookimpl
def fiber_audit_extractors():
    return {"brightness": brightness}


def brightness():
    import torch

    from fiber_audit.contracts import Extractor

    class ChannelMeans(torch.nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3))

    class Brightness(Extractor):
        network = ChannelMeans()
        feature_size = 3

        def features(self, x):
            return self.network(x)

    return Brightness()
