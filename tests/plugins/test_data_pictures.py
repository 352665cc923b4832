"""One picture of any kind: every odd kind agrees with an independent reading, or is refused."""

import struct
import warnings
import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
import torch
from fiber_audit_data.pictures import Unreadable, decoded, is_grey
from fiber_audit_data.resize import Look
from PIL import Image

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def stored(image, kind="PNG", **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return BytesIO(file.getvalue())


def read(file, **options):
    return np.asarray(decoded(file, **options))


def look(file, size=(6, 9), **options):
    return Look(size, **options).of(file)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA"])
def test_colour_of_eight_bits_is_read_as_it_is(kind):
    x = look(stored(Image.fromarray(COLOUR), kind), channels="rgb")

    assert torch.equal(x, torch.from_numpy(COLOUR).permute(2, 0, 1).float() / 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_a_ramp_of_sixteen_bits_is_exact(kind):
    x = look(stored(Image.fromarray(RAMP), kind), 256, channels="grey")

    assert torch.equal(x[0], torch.from_numpy(RAMP.astype(np.float32) / 65535))
    rgb = look(stored(Image.fromarray(RAMP), kind), 256, channels="rgb")
    assert torch.equal(rgb, x.expand(3, -1, -1))


def test_sixteen_bits_and_their_eight_bits_are_one_picture():
    sixteen = look(stored(Image.fromarray(GREY.astype(np.uint16) * 257)), channels="grey")
    eight = look(stored(Image.fromarray(GREY)), channels="grey")

    assert torch.equal(sixteen, eight)


def test_sixteen_bits_keep_their_range_when_they_are_resized():
    steps = np.zeros((16, 16), np.uint16)
    steps[:, 8:] = 65535
    for size in (5, 64):
        x = look(stored(Image.fromarray(steps)), size, channels="grey")

        assert x.min() == 0  # bicubic overshoots, and is clamped
        assert x.max() == 1
    eight = look(stored(Image.fromarray((steps // 257).astype(np.uint8))), 5, channels="grey")
    x = look(stored(Image.fromarray(steps)), 5, channels="grey")
    torch.testing.assert_close(x, eight, atol=1 / 255, rtol=0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_picture_with_its_exif_is_the_upright_one(orientation):
    upright = Image.fromarray(COLOUR)
    turned = {  # how a camera stores the upright scene, by the definition of the tag
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a, -1),
    }[orientation](COLOUR)  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = stored(Image.fromarray(np.ascontiguousarray(turned)), exif=exif)

    assert np.array_equal(read(file), np.asarray(upright))


def test_sixteen_bits_are_turned_upright_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp = RAMP[:4]
    file = stored(Image.fromarray(np.ascontiguousarray(np.rot90(ramp, 1))), exif=exif)

    assert np.array_equal(read(file), (ramp / np.float32(65535)).astype(np.float32))


def test_a_palette_is_looked_up():
    palette = RNG.integers(0, 256, (4, 3), dtype=np.uint8)
    index = RNG.integers(0, 4, (6, 9), dtype=np.uint8)
    image = Image.new("P", (9, 6))
    image.putdata(index.flatten().tolist())
    image.putpalette(palette.flatten().tolist())

    assert np.array_equal(read(stored(image)), palette[index])
    assert not is_grey(stored(image))


def test_one_bit_is_black_and_white():
    bits = RNG.integers(0, 2, (6, 9)).astype(bool)
    file = stored(Image.fromarray(bits))

    assert np.array_equal(read(file), bits * np.uint8(255))
    assert is_grey(file)


def test_cmyk_is_as_ink_on_paper():
    ink = RNG.integers(0, 256, (6, 9, 4), dtype=np.uint8)
    bands = [Image.fromarray(np.ascontiguousarray(ink[..., i])) for i in range(4)]
    file = stored(Image.merge("CMYK", bands), "TIFF")
    expected = (255.0 - ink[..., :3]) * (255.0 - ink[..., 3:]) / 255

    assert np.abs(read(file) - expected).max() <= 1


@pytest.mark.parametrize(("alpha", "behind"), [("white", 255.0), ("black", 0.0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_shows_what_is_behind(alpha, behind, mode):
    layers = RNG.integers(0, 256, (6, 9, len(mode)), dtype=np.uint8)
    bands = [Image.fromarray(np.ascontiguousarray(layers[..., i])) for i in range(len(mode))]
    opacity = layers[..., -1:] / 255
    expected = (layers[..., :-1] * opacity + behind * (1 - opacity)).squeeze()

    assert np.abs(read(stored(Image.merge(mode, bands)), alpha=alpha) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_colour_that_stands_for_transparency_is_transparent(mode):
    black = Image.new(mode, (4, 4))
    key = (0, 0, 0) if mode == "RGB" else 0
    file = stored(black, transparency=key)

    assert (read(file, alpha="white") == 255).all()
    assert (read(file, alpha="black") == 0).all()


def test_transparency_is_refused_where_it_shows_and_only_there():
    clear = Image.fromarray(COLOUR).convert("RGBA")
    assert np.array_equal(read(stored(clear), alpha="refuse"), COLOUR)
    clear.putpixel((0, 0), (1, 2, 3, 254))

    with pytest.raises(Unreadable, match='alpha = "white"'):
        decoded(stored(clear), "refuse")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = stored(frames[0], kind, save_all=True, append_images=frames[1:], **options)

    assert read(file).reshape(-1, 3).tolist() == [[255, 0, 0]] * 16


@pytest.mark.parametrize(
    ("array", "words"), [(np.float32(RAMP[:4]), "floats"), (np.int32(RAMP[:4]), "32-bit integers")]
)
def test_numbers_without_a_range_are_refused(array, words):
    with pytest.raises(Unreadable, match=words):
        decoded(stored(Image.fromarray(array), "TIFF"))


def test_a_tiff_of_sixteen_bits_whose_white_is_zero_is_refused():
    with pytest.raises(Unreadable, match="save it as a PNG"):
        decoded(stored(Image.fromarray(RAMP), "TIFF", tiffinfo={262: 0}))


def test_large_pictures_warn_of_nothing_and_very_large_ones_are_refused(monkeypatch):
    file = stored(Image.fromarray(COLOUR))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6 * 9 - 1)
        assert np.array_equal(read(file), COLOUR)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6 * 9 // 2 - 1)
        with pytest.raises(Unreadable, match="million pixels: scale it down"):
            decoded(file)


def cut(kind, share=0.5):
    """An encoded picture of 120 x 180 without its end."""
    content = stored(Image.fromarray(np.tile(COLOUR, (20, 20, 1))), kind).getvalue()
    return content[: int(len(content) * share)]


DAMAGED = {
    "empty": (b"", "an empty file"),
    "text": (b"Dear reader,\n", "not a picture"),
    "cut jpeg": (cut("JPEG"), "truncated"),
    "cut png": (cut("PNG"), "truncated"),
    "cut gif": (cut("GIF"), "truncated"),
    "cut tiff": (cut("TIFF"), "."),
    "cut webp": (cut("WEBP"), "."),
    "beginning of a jpeg": (cut("JPEG", 0.01), "."),
    "beginning of a png": (cut("PNG", 0.01), "."),
}


@pytest.mark.parametrize(("content", "words"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_picture_is_unreadable_in_a_few_words(content, words):
    with pytest.raises(Unreadable, match=words) as caught:
        decoded(BytesIO(content))

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 100
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "TGA"])
def test_noise_in_the_bytes_raises_nothing_foreign(kind):
    rng = np.random.default_rng(1)
    whole = stored(Image.fromarray(COLOUR), kind).getvalue()
    for _ in range(40):
        spoilt = bytearray(whole)
        for place in rng.integers(0, len(spoilt), 8):
            spoilt[place] = int(rng.integers(0, 256))
        with suppress(Unreadable):
            decoded(BytesIO(bytes(spoilt)))


def test_a_cut_jpeg_has_a_whole_header():
    assert is_grey(BytesIO(cut("JPEG"))) is False  # why skipping has to decode


@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
def test_a_picture_that_has_the_size_keeps_its_values(resize):
    x = look(stored(Image.fromarray(COLOUR)), resize=resize, channels="rgb")

    assert torch.equal(x, torch.from_numpy(COLOUR).permute(2, 0, 1).float() / 255)


def test_crop_cuts_the_sides_pad_adds_black_and_squash_changes_proportions():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255  # a white square in the middle
    file = stored(Image.fromarray(wide))
    crop, pad, squash = (look(file, 12, resize=r)[0] for r in ("crop", "pad", "squash"))

    assert crop[:, 1:-1].min() > 0.8
    assert pad[:4].max() == pad[8:].max() == 0
    assert (pad[5, 5], pad[5, 0]) == (1, 0)
    assert (squash > 0.5).sum().item() == 12 * 4


def test_a_resized_picture_is_what_pillow_makes_of_it():
    image = Image.fromarray(np.tile(COLOUR, (4, 4, 1)))
    x = look(stored(image), (7, 5), resize="squash", channels="rgb")
    expected = np.asarray(image.resize((5, 7), Image.Resampling.BICUBIC))

    assert torch.equal(x, torch.from_numpy(expected.copy()).permute(2, 0, 1).float() / 255)


def test_grey_is_the_luma_of_itu_601():
    x = look(stored(Image.fromarray(COLOUR)), channels="grey")[0].numpy() * 255
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])

    assert np.abs(x - luma).max() <= 1


def test_colour_of_sixteen_bits_keeps_the_upper_eight():
    values = RNG.integers(0, 65536, (6, 9, 3), dtype=np.uint16)

    assert np.array_equal(
        read(BytesIO(png_of_sixteen_bits(values))), (values >> 8).astype(np.uint8)
    )


def png_of_sixteen_bits(values):
    """A PNG of colour with 16 bits, which Pillow cannot write, by the specification."""

    def chunk(name, data):
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
