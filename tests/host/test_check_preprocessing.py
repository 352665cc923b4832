"""Does an extractor prepare pictures as its network's library does? Each usual mistake is refused.

The library is torchvision's transforms of PIL pictures; the network is small, convolutional and
random.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as library

from fiber_audit.check import check_extractor
from fiber_audit.check.photograph import photograph, pixels_of
from fiber_audit.check.preprocessing import preprocessing_problem
from fiber_audit.contracts import Extractor

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
RESIZE, CROP = 72, 64
BICUBIC, BILINEAR = InterpolationMode.BICUBIC, InterpolationMode.BILINEAR


class Small(nn.Module):
    """A picture of 64 x 64 -> 24 features, or a map of 24 x cells x cells, flattened."""

    def __init__(self, cells):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 8, 5, 2), nn.Tanh(), nn.Conv2d(8, 16, 3, 2), nn.Tanh()),
            *(nn.Conv2d(16, 24, 3, 2), nn.Tanh(), nn.AdaptiveAvgPool2d(cells), nn.Flatten()),
        )
        generator = torch.Generator().manual_seed(0)
        for weights in self.parameters():
            size = weights[0].numel() ** -0.5 if weights.ndim > 1 else 0.1
            weights.data.normal_(0, size, generator=generator)

    def forward(self, x):
        return self.body(x)


class Prepared(Extractor):
    """Resizes, crops and normalises as its library does; the ones below make a mistake each."""

    weights_sha256 = "0" * 64
    antialias = True
    mean, std = MEAN, STD

    def __init__(self, cells=4, interpolation=BICUBIC):
        self.network = Small(cells).eval().requires_grad_(False)
        self.feature_size, self.interpolation = 24 * cells**2, interpolation

    def features(self, x):
        x = self.cropped(self.resized(x, RESIZE)).clamp(0, 1)
        return self.network(self.normalised(x))

    def features_of_picture(self, picture):
        picture = library.resize(picture, RESIZE, self.interpolation)
        x = library.to_tensor(library.center_crop(picture, [CROP, CROP]))
        return self.network(library.normalize(x, MEAN, STD)[None])

    def resized(self, x, size, interpolation=None):
        kind = interpolation or self.interpolation
        return library.resize(x, size, kind, antialias=self.antialias)

    def cropped(self, x):
        return library.center_crop(x, [CROP, CROP])

    def normalised(self, x):
        return library.normalize(x, list(self.mean), list(self.std))


class OtherMean(Prepared):
    mean = (0.5, 0.5, 0.5)


class OtherStd(Prepared):
    std = (0.5, 0.5, 0.5)


class OffByOne(Prepared):
    def cropped(self, x):
        return super().cropped(x.roll(1, -1))


class Aliased(Prepared):
    antialias = False


class Squashed(Prepared):
    def cropped(self, x):
        return x

    def resized(self, x, size, interpolation=None):
        return super().resized(x, [CROP, CROP])


class Reversed(Prepared):
    def normalised(self, x):
        return super().normalised(x.flip(1))


class Bytes(Prepared):
    def normalised(self, x):
        return super().normalised(255 * x)


class OtherInterpolation(Prepared):
    def resized(self, x, size, interpolation=None):
        other = BILINEAR if self.interpolation is BICUBIC else BICUBIC
        return super().resized(x, size, other)


class Unnormalised(Prepared):
    def normalised(self, x):
        return x


MISTAKES = [
    *(OtherMean, OtherStd, OffByOne, Aliased, Squashed, Reversed, Bytes, OtherInterpolation),
    Unnormalised,
]


@pytest.mark.parametrize("interpolation", [BICUBIC, BILINEAR])
@pytest.mark.parametrize("cells", [1, 4])
def test_the_same_preprocessing_on_pixels_and_on_pictures_passes(cells, interpolation):
    assert preprocessing_problem(Prepared(cells, interpolation)) is None


@pytest.mark.parametrize(("cells", "interpolation"), [(1, BICUBIC), (4, BILINEAR)])
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_each_mistake_is_refused(mistake, cells, interpolation):
    problem = preprocessing_problem(mistake(cells, interpolation))

    assert "differ by" in problem
    assert problem.endswith("interpolation, antialias.")


def test_it_is_one_of_the_checks_of_an_extractor():
    assert check_extractor(Prepared(), again=Prepared) == []
    (violation,) = check_extractor(OffByOne(), again=OffByOne)

    assert violation.name == "preprocessing"
    assert "\n" not in violation.message


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_network_of_16_bits_is_not_accused_and_its_mistakes_are(dtype):
    def narrowed(extractor):
        network = extractor.network.to(dtype)
        network.register_forward_pre_hook(lambda _, args: (args[0].to(dtype),))
        network.register_forward_hook(lambda _, args, output: output.float())
        return extractor

    assert preprocessing_problem(narrowed(Prepared())) is None
    for mistake in (OffByOne, Squashed, OtherMean, Reversed):
        assert preprocessing_problem(narrowed(mistake())) is not None


def test_an_extractor_of_one_size_is_shown_a_picture_of_that_size():
    class Fixed(Prepared):
        input_shape = (3, 40, 56)

    class FixedReversed(Fixed, Reversed):
        pass

    assert preprocessing_problem(Fixed()) is None
    assert "features of a 56 x 40 picture differ" in preprocessing_problem(FixedReversed())


def test_an_extractor_of_grey_pictures_is_shown_a_grey_one():
    class Grey(Prepared):
        input_shape = (1, 48, 48)
        shown = ()

        def features(self, x):
            return super().features(x.expand(-1, 3, -1, -1))

        def features_of_picture(self, picture):
            self.shown = (picture.mode, picture.size)
            return super().features_of_picture(picture.convert("RGB"))

    extractor = Grey()

    assert preprocessing_problem(extractor) is None
    assert extractor.shown == ("L", (48, 48))


def test_without_a_way_for_pictures_or_without_pictures_nothing_is_told():
    class Table(Prepared):
        input_shape = (5,)

    class Silent(OffByOne):
        def features_of_picture(self, picture):
            return None

    assert preprocessing_problem(Table()) is None
    assert preprocessing_problem(Silent()) is None


def test_two_ways_that_end_in_different_layers_are_told():
    class Shorter(Prepared):
        def features_of_picture(self, picture):
            return super().features_of_picture(picture)[:, :5]

    assert "features_of_picture() gives (1, 5), features() of the same picture (1, 384)" in (
        preprocessing_problem(Shorter())
    )


def test_what_a_sensitive_network_makes_of_rounding_is_no_mistake():
    class Sharp(Prepared):
        """Steep, so that a rounded pixel changes features by percents."""

        def normalised(self, x):
            return 12 * super().normalised(x)

        def features_of_picture(self, picture):
            picture = library.resize(picture, RESIZE, self.interpolation)
            x = library.to_tensor(library.center_crop(picture, [CROP, CROP]))
            return self.network(12 * library.normalize(x, MEAN, STD)[None])

    class SharpOffByOne(Sharp, OffByOne):
        pass

    sharp = Sharp()
    picture = photograph(301, 203)
    with torch.no_grad():
        wanted, given = sharp.features_of_picture(picture), sharp.features(pixels_of(picture))
    gap = (given - wanted).norm() / wanted.norm()

    assert gap > 0.005
    assert preprocessing_problem(sharp) is None
    assert preprocessing_problem(SharpOffByOne()) is not None


def test_the_photograph_is_the_same_everywhere_and_like_one():
    first, second = (np.asarray(photograph(301, 203)) for _ in range(2))

    assert first.shape == (203, 301, 3)
    assert (first == second).all()
    assert 90 < first.mean() < 150
    assert (first.std(axis=(0, 1)) > 30).all()
    assert abs(first[:, :, 0].mean() - first[:, :, 2].mean()) > 10  # BGR can be told
    assert not (first == first[:, ::-1]).all()


def test_pixels_of_a_picture_are_in_data_space():
    for channels in (1, 3):
        x = pixels_of(photograph(301, 203, channels))

        assert x.shape == (1, channels, 203, 301)
        assert x.dtype == torch.float32
        assert 0 <= x.min() < 0.1
        assert 0.9 < x.max() <= 1
