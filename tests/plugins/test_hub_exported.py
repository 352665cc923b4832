"""Networks in files: programs of torch.export, TorchScript where it is asked for, and ONNX."""

from __future__ import annotations

import warnings

import onnx
import pytest
import torch
from fiber_audit_hub import proof
from fiber_audit_hub.exported import ExportedExtractor
from fiber_audit_hub.onnx_model import OnnxExtractor
from fiber_audit_hub.photograph import photograph
from torch import nn

from fiber_audit.check import check_extractor
from fiber_audit.errors import UnknownName, UsageError, WeightsError

SIDE = 32
STEPS = {"resize": 36, "crop": SIDE, "mean": (0.4, 0.5, 0.6), "std": (0.2,)}


class Net(nn.Module):
    """A small classifier, in eval mode, with what exporters meet."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1)
        )
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.drop(self.trunk(x).mean((2, 3))))


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Net().eval()
    made.trunk[0].bias.data.zero_()  # equal weights, which exporters write once
    made.trunk[3].bias.data.zero_()
    return made


@pytest.fixture(scope="module")
def files(net, tmp_path_factory):
    """Name -> path of the same network in every format."""
    folder = tmp_path_factory.mktemp("files")
    x = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    any_batch = ({0: torch.export.Dim.DYNAMIC},)
    with warnings.catch_warnings(action="ignore"):  # of exporters, which are no concern of ours
        torch.export.save(
            torch.export.export(net, (x,), dynamic_shapes=any_batch), folder / "any.pt2"
        )
        torch.export.save(torch.export.export(net, (x[:1],)), folder / "one.pt2")
        half = Net().eval().half()
        torch.export.save(torch.export.export(half, (x.half()[:1],)), folder / "half.pt2")
        torch.jit.trace(net, x).save(folder / "script.pt")
        common = {"input_names": ["x"], "opset_version": 17, "dynamo": False}
        axes = {"x": {0: "batch"}}
        torch.onnx.export(net, (x,), folder / "any.onnx", dynamic_axes=axes, **common)
        torch.onnx.export(net, (x[:1],), folder / "one.onnx", **common)
    return folder


def made(path, **options):
    kind = OnnxExtractor if path.suffix == ".onnx" else ExportedExtractor
    more = {"format": "torchscript"} if path.suffix == ".pt" else {}
    return kind(path=str(path), **{**STEPS, **more, **options})


ALL = ["any.pt2", "one.pt2", "script.pt", "any.onnx", "one.onnx"]


@pytest.mark.parametrize("name", ALL)
def test_a_file_gives_the_networks_features_and_keeps_the_contract(name, files, net):
    found = made(files / name)
    pixels = found.library_path(photograph())
    x = torch.rand(3, 3, 40, 50, generator=torch.Generator().manual_seed(1), requires_grad=True)
    (gradient,) = torch.autograd.grad(found.features(x).square().sum(), x)
    gap, *_ = proof.gap_between(found.tensor_path, found.library_path, found._of_pixels)

    assert torch.allclose(found._of_pixels(pixels), net(pixels), atol=1e-5)
    assert torch.allclose(found.features(x), net(found.tensor_path(x)), atol=1e-5)
    assert gradient.isfinite().all()
    assert gradient.any(dim=(1, 2, 3)).all()
    assert gap.features < 1e-3
    assert check_extractor(found, again=lambda: made(files / name)) == []


def test_a_graph_of_a_fixed_batch_is_called_row_by_row_and_says_so(files):
    for name in ALL:
        assert ("batches" in made(files / name).facts) == name.startswith("one.pt2")


def test_a_program_saved_in_half_takes_half_and_gives_float32(files):
    found = made(files / "half.pt2")
    x = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))

    assert found.features(x).dtype == torch.float32
    assert next(found.network.parameters()).dtype == torch.float16


def test_a_layer_of_an_onnx_network_comes_by_name(files, net):
    found = made(files / "any.onnx", layer="trunk/trunk/3/Conv")
    pixels = found.library_path(photograph())
    bf16 = made(files / "any.onnx", layer="trunk/trunk/3/Conv", dtype="bfloat16")

    assert torch.allclose(found._of_pixels(pixels), net.trunk(pixels).mean((2, 3)), atol=1e-5)
    assert proof.relative(bf16._of_pixels(pixels), found._of_pixels(pixels)) < 3e-2
    with pytest.raises(UnknownName, match="Conv"):
        made(files / "any.onnx", layer="trunk")


def test_identities_of_weights_and_of_values_change_nothing(files, net, tmp_path):
    model = onnx.load(files / "any.onnx")
    assert any(node.op_type == "Identity" for node in model.graph.node)
    for i, node in enumerate([*model.graph.node]):
        if node.op_type == "Relu":
            chain = [(node.output[0], "a"), ("a", "b")]
            for j, (source, out) in enumerate(chain):
                model.graph.node.insert(
                    i + 1 + j, onnx.helper.make_node("Identity", [source], [out], name=out)
                )
            model.graph.node[i + 3].input[0] = "b"
    onnx.save(model, tmp_path / "more.onnx")
    found = made(tmp_path / "more.onnx")
    pixels = found.library_path(photograph())

    assert torch.allclose(found._of_pixels(pixels), net(pixels), atol=1e-5)


def test_the_digest_is_that_of_file_and_preprocessing(files):
    digests = [made(files / name).weights_sha256 for name in ("any.pt2", "one.pt2", "any.onnx")]

    assert made(files / "any.pt2").weights_sha256 == digests[0]
    assert len({*digests, made(files / "any.pt2", interpolation="bicubic").weights_sha256}) == 4


def test_mistakes_are_one_sentence(files, tmp_path, net):
    class Both(nn.Module):
        def forward(self, x, y):
            return x + y

    x = torch.rand(1, 3, SIDE, SIDE)
    torch.export.save(torch.export.export(Both(), (x, x)), tmp_path / "two.pt2")
    unknown = onnx.load(files / "any.onnx")
    unknown.graph.node[0].op_type = "Nonsense"
    onnx.save(unknown, tmp_path / "unknown.onnx")
    for path, options, kind, words in (
        (tmp_path / "none.pt2", {}, WeightsError, "no such file"),
        (tmp_path / "none.onnx", {}, WeightsError, "no such file"),
        (files / "script.pt", {"format": "torch.export"}, WeightsError, "no program of torch.exp"),
        (files / "any.pt2", {"format": "torchscript"}, WeightsError, "no TorchScript"),
        (tmp_path / "two.pt2", {}, UsageError, "takes 2 inputs"),
        (tmp_path / "unknown.onnx", {}, WeightsError, "opset"),
        (files / "one.pt2", {"crop": 31}, UsageError, "fails on a photograph"),
    ):
        with pytest.raises(kind, match=words) as caught:
            made(path, **options)
        assert "\n" not in str(caught.value)
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(WeightsError, match="is no ONNX network"):
        made(tmp_path / "text.onnx")
