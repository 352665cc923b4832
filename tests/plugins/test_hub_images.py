"""Preprocessing is proven where an extractor is made; pooling, layers and files keep their laws."""

from __future__ import annotations

import argparse
import operator

import numpy as np
import pytest
import torch
from fiber_audit_hub import checkpoints, proof
from fiber_audit_hub.images import ImageExtractor
from fiber_audit_hub.layers import Layer
from fiber_audit_hub.names import nearest
from fiber_audit_hub.photograph import photograph
from fiber_audit_hub.pooling import Pooling
from fiber_audit_hub.steps import Steps
from safetensors.torch import save_file
from torch import nn
from torchvision import transforms as T
from torchvision.transforms import functional as TF

from fiber_audit.check import check_extractor
from fiber_audit.errors import PluginError, UnknownName, UsageError, WeightsError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BICUBIC, BILINEAR = T.InterpolationMode.BICUBIC, T.InterpolationMode.BILINEAR


def network(width=8):
    generator = torch.Generator().manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, width, 5, 3), nn.GELU(), nn.Conv2d(width, 2 * width, 3, 2), nn.Tanh()
    )
    for parameter in made.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return made


def library(size=64, crop=56, how=BICUBIC, mean=MEAN, std=STD):
    return Steps([T.Resize(size, how), T.CenterCrop(crop), T.ToTensor(), T.Normalize(mean, std)])


def made(tensor_path=None, **options):
    named = {"name": "toy", "preprocessing": "as the toy's library", **options}
    inner = named.pop("network", None) or network()
    return ImageExtractor(
        inner,
        tensor_path=tensor_path or library().of_tensor,
        library_path=library().of_picture,
        **named,
    )


def by_hand(size=64, antialias=True, clamp=True, shift=0):
    """The library's path, written out as people do, with the mistakes that they make."""

    def path(x):
        x = TF.resize(x, size, BICUBIC, antialias=antialias)
        top, left = (round((n - 56) / 2) for n in x.shape[-2:])
        x = x[..., top : top + 56, left + shift : left + shift + 56]
        return TF.normalize(x.clamp(0, 1) if clamp else x, MEAN, STD)

    return path


def test_the_librarys_own_steps_on_tensors_pass_and_the_gap_is_told():
    for path in (library().of_tensor, by_hand()):
        facts = made(path).facts

        assert facts["preprocessing"] == "as the toy's library"
        assert "but for its rounding to 8 bits" in facts["preprocessing gap"]


@pytest.mark.parametrize(
    "mutant",
    {
        "another mean and std": library(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)).of_tensor,
        "one std of three": library(std=(0.229, 0.224, 0.229)).of_tensor,
        "another interpolation": library(how=BILINEAR).of_tensor,
        "a crop off by one": by_hand(shift=1),
        "another size": library(size=65).of_tensor,
        "squashed": library(size=(64, 64)).of_tensor,
        "no filter": by_hand(antialias=False),
        "no clamp": by_hand(clamp=False),
        "BGR": lambda x: library().of_tensor(x.flip(1)),
        "bytes": lambda x: library().of_tensor(x / 255),
        "another shape": lambda x: library(crop=48).of_tensor(x),
    }.items(),
    ids=operator.itemgetter(0),
)
def test_wrong_preprocessing_is_refused_in_a_sentence(mutant):
    with pytest.raises(PluginError, match="is not the library's own") as caught:
        made(mutant[1])

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", [BILINEAR, BICUBIC])
@pytest.mark.parametrize("size", [28, (96, 96), 128, 232])
def test_rounded_like_pil_a_resize_is_pils_and_the_rounding_is_all_that_is_left(how, size):
    picture = photograph()
    x = TF.to_tensor(picture)[None]
    pil = TF.to_tensor(TF.resize(picture, size, how))[None]
    plain, clamped, once, twice = (
        proof._within(way, lambda x: TF.resize(x, size, how), x) for way in proof._ways()
    )

    assert proof.contrasted(twice, pil) < proof.PIXELS / 2
    assert proof.contrasted(plain.clamp(0, 1), pil) > proof.PIXELS  # the floor of PIL's 8 bits
    assert proof.contrasted(once, pil) > proof.PIXELS
    assert torch.equal(clamped, plain.clamp(0, 1))


def test_a_mode_that_rounds_ends_with_its_block():
    x = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    before = TF.resize(x, 9)
    proof._within(proof._ways()[-1], lambda x: TF.resize(x, 9), x)

    assert torch.equal(TF.resize(x, 9), before)


def test_the_photograph_uses_the_range_and_has_no_symmetry():
    pixels = np.asarray(photograph(), dtype=float)

    assert pixels.shape == (203, 301, 3)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.array_equal(pixels, np.asarray(photograph()))
    for turned in (pixels[::-1], pixels[:, ::-1], pixels[..., ::-1]):
        assert np.abs(turned - pixels).mean() > 10


@pytest.mark.parametrize(
    "wrong",
    [lambda h, w: h > w, lambda h, w: w < 100],
    ids=["on end", "small"],
)
def test_preprocessing_that_is_wrong_of_some_sizes_alone_is_refused(wrong):
    right, shifted = by_hand(), by_hand(shift=1)

    with pytest.raises(PluginError, match="is not the library's own"):
        made(lambda x: (shifted if wrong(*x.shape[-2:]) else right)(x))


def test_a_layer_that_gives_no_row_per_picture_is_refused():
    class Windows(nn.Module):
        def forward(self, x):
            return x.unfold(2, 28, 28).unfold(3, 28, 28).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)

    class Alone(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)).mean(0, keepdim=True)

    for rows, layer in ((12, Windows()), (1, Alone())):
        with pytest.raises(UsageError, match=f"{rows} rows of features for 3 pictures"):
            made(network=layer)


def test_an_extractor_keeps_its_contract():
    assert check_extractor(made(), again=made) == []


def test_features_of_a_picture_are_the_librarys():
    picture = photograph(120, 90)
    wanted = network()(library().of_picture(picture)).mean(dim=(2, 3))

    assert torch.allclose(made().features_of_picture(picture), wanted, atol=1e-6)


def test_grey_is_repeated_and_tables_are_refused():
    grey = torch.rand(2, 1, 70, 80, generator=torch.Generator().manual_seed(0))
    extractor = made()

    assert torch.equal(extractor.features(grey), extractor.features(grey.repeat(1, 3, 1, 1)))
    flat = photograph(90, 80).convert("L")
    assert torch.equal(
        extractor.features_of_picture(flat), extractor.features_of_picture(flat.convert("RGB"))
    )
    with pytest.raises(UsageError, match=r"toy sees images .* not \(4, 8\)"):
        extractor.features(torch.zeros(4, 8))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_half_network_gives_float32_features_near_its_own_with_a_gradient(dtype):
    half, whole = made(dtype=dtype), made()
    x = torch.rand(2, 3, 70, 80, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found, wanted = half.features(x), whole.features(x)
    (gradient,) = torch.autograd.grad(found.square().sum(), x)

    assert found.dtype == torch.float32
    assert proof.relative(found, wanted) < (2e-3 if dtype == "float16" else 2e-2)
    assert gradient.isfinite().all()
    assert gradient.any()
    assert dtype in half.facts["dtype"]
    assert half.weights_sha256 != whole.weights_sha256


def test_what_is_not_finite_in_half_is_refused():
    large = network()
    large[0].weight.data *= 1e5

    with pytest.raises(UsageError, match="not finite in float16"):
        made(network=nn.Sequential(*large[:1]), dtype="float16")


def test_a_network_that_takes_no_such_pixels_is_told_in_a_sentence():
    with pytest.raises(UsageError, match="toy fails on a photograph") as caught:
        made(network=nn.Linear(5, 2))

    assert "\n" not in str(caught.value)


def test_the_digest_covers_all_that_changes_features_and_no_name():
    same = {made().weights_sha256, made(name="other").weights_sha256}
    others = {
        made(preprocessing="other words").weights_sha256,
        made(pool=Pooling("max")).weights_sha256,
        made(dtype="bfloat16").weights_sha256,
        made(identity=["a layer"]).weights_sha256,
        made(network=network(9)).weights_sha256,
    }

    assert len(same) == 1
    assert len(others | same) == 6


def test_pooling_maps_and_tokens():
    maps = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    last, tokens = maps.permute(0, 2, 3, 1), maps.flatten(2).transpose(1, 2)

    for pool, wanted in {"auto": maps.mean((2, 3)), "max": maps.amax((2, 3))}.items():
        assert torch.allclose(Pooling(pool)(maps), wanted)
        assert torch.allclose(Pooling(pool, "last")(last), wanted)
        assert torch.allclose(Pooling(pool)(tokens), wanted)
    assert torch.allclose(Pooling("mean", prefix=2)(tokens), tokens[:, 2:].mean(1))
    assert torch.equal(Pooling("cls", prefix=2)(tokens), tokens[:, 0])
    assert torch.allclose(Pooling("mean", prefix=2, patches=10)(tokens), tokens[:, 2:].mean(1))
    assert torch.allclose(Pooling("mean", prefix=2, patches=12)(tokens), tokens.mean(1))
    square = maps[..., :3]
    for seen in (square, square.permute(0, 2, 3, 1)):
        assert torch.allclose(Pooling(channels="auto")(seen), square.mean((2, 3)))
    assert torch.equal(Pooling("flatten")(maps), maps.flatten(1))
    assert torch.equal(Pooling("max")(tokens[:, 0]), tokens[:, 0])


def test_pooling_says_what_it_cannot_do():
    with pytest.raises(UsageError, match="a map has no class token"):
        Pooling("cls")(torch.zeros(1, 2, 3, 3))
    with pytest.raises(UsageError, match=r"pooled from vectors .* choose another layer"):
        Pooling()(torch.zeros(3))
    for no_class in (Pooling("cls"), Pooling("cls", prefix=1, patches=9)):
        with pytest.raises(UsageError, match="no class token is known"):
            no_class(torch.zeros(1, 9, 2))
    with pytest.raises(UsageError, match="5 tokens, neither the 9 patches"):
        Pooling(prefix=1, patches=9)(torch.zeros(1, 5, 2))
    for shape in ((1, 3, 3, 3), (1, 3, 4, 5)):
        with pytest.raises(UsageError, match='set channels = "first" or "last"'):
            Pooling(channels="auto")(torch.zeros(shape))
    wide = torch.zeros(1, 51_000, 1)
    with pytest.raises(UsageError, match=r"51,000 features, above flat_limit = 50,000"):
        Pooling("flatten")(wide)
    assert Pooling("flatten", flat_limit=60_000)(wide).shape == (1, 51_000)


class Counted(nn.Module):
    calls = 0

    def forward(self, x):
        Counted.calls += 1
        return x


def test_a_layer_is_the_network_up_to_it_and_no_further():
    whole = nn.Sequential(network(), Counted())
    x = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    Counted.calls = 0

    assert torch.equal(Layer(whole, "0.1")(x), whole[0][:2](x))
    assert Counted.calls == 0
    assert torch.equal(Layer(whole)(x), whole(x))
    assert not whole[0][1]._forward_hooks
    with pytest.raises(UnknownName, match=r"layer = '0.7'.* Did you mean"):
        Layer(whole, "0.7")
    assert check_extractor(made(network=Layer(network(), "1"))) == []


def test_a_layer_that_is_never_called_and_an_output_without_a_tensor_are_told():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Identity()

        def forward(self, x):
            return {"first": x, "second": None}

    class Text(nn.Module):
        def forward(self, x):
            return "text"

    assert torch.equal(Layer(Odd())(torch.ones(1)), torch.ones(1))
    with pytest.raises(UsageError, match="does not call it"):
        Layer(Odd(), "unused")(torch.ones(1))
    with pytest.raises(UsageError, match="returns a str"):
        Layer(Text())(torch.ones(1))


def test_checkpoints_are_read_in_every_wrapping(tmp_path):
    state = network().state_dict()
    wrapped = {f"module.{key}": value for key, value in state.items()}
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pth")
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "c.th")
    noise = {key: value + 1 for key, value in state.items()}
    arguments = argparse.Namespace(lr=0.1)
    torch.save({"state_dict": noise, "state_dict_ema": state, "args": arguments}, tmp_path / "d.pt")

    for path in sorted(tmp_path.iterdir()):
        other = network(8)
        other[0].weight.data.zero_()
        checkpoints.fill(other, checkpoints.read(path), "toy")

        assert torch.equal(other[0].weight, network()[0].weight), path.name


def test_files_that_are_no_weights_of_this_network_are_told(tmp_path):
    class Ours:
        pass

    torch.save({"x": operator.itemgetter(0)}, tmp_path / "code.pt")
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pt")
    for name, words in {
        "none.pt": "no such file",
        "code.pt": "could run code",
        "text.pt": "cannot be read|could run code",
        "text.safetensors": "cannot be read",
        "list.pt": "no state_dict",
    }.items():
        with pytest.raises(WeightsError, match=words) as caught:
            checkpoints.read(tmp_path / name)
        assert "\n" not in str(caught.value)
    state = {k: v for k, v in network(9).state_dict().items() if k.startswith("0")}
    with pytest.raises(WeightsError, match=r"2 are missing .*1 are left over .*2 are of another"):
        checkpoints.fill(network(), state | {"x": state["0.bias"]}, "toy")


def test_a_long_list_of_names_is_shortened():
    assert nearest("layer5", ["layer1", "layer4", "fc"]).startswith("Did you mean 'layer4'?")
    long = nearest("block7", [f"block{i}.conv" for i in range(99)])
    assert len(long) < 300
    assert long.endswith("more.")
