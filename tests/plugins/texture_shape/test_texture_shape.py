"""Textures and shapes: independent, put together and taken apart again, and known to judges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fiber_audit_texture_shape.attributes import FigureShape, FigureTexture
from fiber_audit_texture_shape.components import NOISE, SHAPES, Components
from fiber_audit_texture_shape.dataset import TextureShape
from fiber_audit_texture_shape.extractors import TextureShapeNet
from fiber_audit_texture_shape.nets import HEADS
from fiber_audit_texture_shape.priors import TextureShapeFlow
from fiber_audit_texture_shape.rendering import rendered, some
from fiber_audit_texture_shape.shapes import Shapes, blurred, cut, held_out, read
from fiber_audit_texture_shape.textures import DARK, LIGHT, NAMES, field_of, fields, inked
from fiber_audit_texture_shape.train.forms import forms_of
from fiber_audit_texture_shape.train.prior import measured
from fiber_audit_texture_shape.weights import SHIPPED

from fiber_audit import DataError, run
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import read as read_suite
from fiber_audit.sampling import Noise, rms, unguided
from fiber_audit.testing import (
    check_attribute,
    check_dataset,
    check_extractor,
    check_prior,
)

N = 160


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def shapes():
    return held_out()


@pytest.fixture(scope="module")
def drawn():
    """Unguided draws of the prior (n, 1, 32, 32)."""
    prior = TextureShapeFlow()
    with torch.no_grad():
        return prior.decode(unguided(prior, Noise(range(N)), steps=20)).clamp(0, 1)


@pytest.fixture(scope="module")
def pictures(shapes):
    """Pictures, shapes and textures."""
    return some(shapes, 400, seeded())


def test_the_shipped_files_are_five_megabytes_at_most():
    found = [*SHIPPED.folder.rglob("*"), *SHIPPED.folder.with_name("data").rglob("*")]
    assert sum(path.stat().st_size for path in found) <= 5.1e6


def test_the_same_shape_has_every_texture_and_the_figure_stays(shapes):
    every = torch.arange(len(NAMES))
    x = rendered(shapes.masks[:1].expand(len(NAMES), -1, -1, -1), fields(every, seeded()))
    mask = cut(shapes.masks[:1])
    assert (x / mask).min() >= DARK - 1e-3
    assert (x - mask).max() <= 1e-6
    apart = torch.cdist(x.flatten(1), x.flatten(1)) + 1e9 * torch.eye(len(NAMES))
    assert apart.min() > 1


def test_shape_and_texture_are_independent(shapes):
    g = seeded(1)
    counts = torch.zeros(10, len(NAMES))
    for _ in range(20):
        _, shape, texture = some(shapes, 400, g)
        counts.index_put_((shape, texture), torch.ones(400), accumulate=True)
    expected = counts.sum(1, keepdim=True) * counts.sum(0) / counts.sum()
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert chi2 < 63 + 4 * (2 * 63) ** 0.5


@pytest.mark.parametrize("kind", range(len(NAMES)), ids=NAMES)
def test_a_texture_has_a_random_phase_and_a_random_row_depends_on_itself_only(kind):
    kinds = torch.full((256,), kind)
    found = fields(kinds, seeded())
    assert (found.mean(0) - found.mean()).abs().max() < 0.35 * found.std()
    assert torch.equal(found, fields(kinds, seeded()))
    mixed = kinds.clone()
    mixed[1:] = (kind + 1) % len(NAMES)
    torch.testing.assert_close(fields(mixed, seeded())[0], found[0], atol=1e-5, rtol=0)


def test_gray_values_of_a_field_tell_the_field():
    field = fields(torch.arange(len(NAMES)), seeded()).clamp(-0.8, 0.8)
    gray = inked(field)
    assert gray.min() >= DARK
    assert gray.max() <= LIGHT
    torch.testing.assert_close(field_of(gray), field, atol=1e-3, rtol=0)


def test_a_blur_keeps_the_mean_inside_and_takes_stripes_away():
    stripes = (torch.arange(32) % 6 < 3).float().expand(1, 1, 32, 32)
    found = blurred(stripes, 3.0)[..., 12:20, 12:20]
    assert (found - 0.5).abs().max() < 0.02
    torch.testing.assert_close(
        blurred(torch.ones(1, 2, 32, 32), 1.0)[..., 4:-4, 4:-4], torch.ones(1, 2, 24, 24)
    )


def test_components_are_those_of_a_singular_value_decomposition():
    x = torch.randn(300, 1, 32, 32, generator=seeded()) * torch.linspace(0.2, 2, 32)
    parts = Components(20)
    left = parts.measure(x)
    flat = x.flatten(1).double().numpy()
    flat -= flat.mean(0)
    _, s, v = np.linalg.svd(flat, full_matrices=False)
    np.testing.assert_allclose(parts.std.numpy(), s[:20] / 300**0.5, rtol=1e-5)
    np.testing.assert_allclose(np.abs((parts.basis.double().numpy() * v[:20]).sum(1)), 1, rtol=1e-4)
    np.testing.assert_allclose(left, 1 - (s[:20] ** 2).sum() / (s**2).sum(), rtol=1e-6)
    z = parts.encode(x)
    torch.testing.assert_close(parts.encode(parts(z)), z, atol=1e-3, rtol=1e-3)


def test_a_guess_of_components_is_the_conditional_mean_of_a_gaussian():
    parts = Components(6)
    parts.measure(torch.randn(100, 1, 32, 32, generator=seeded()))
    x = torch.randn(2, 1, 32, 32, generator=seeded(1))
    seen = (torch.rand(2, 1, 32, 32, generator=seeded(2)) < 0.05).float()
    for found, one, where in zip(parts.guess(x, seen), x, seen, strict=True):
        known = where.flatten() > 0
        loading = (parts.basis * parts.std[:, None]).T[known].double()
        covariance = loading @ loading.T + NOISE**2 * torch.eye(int(known.sum()))
        apart = (one.flatten() - parts.mean)[known].double()
        told = loading.T @ torch.linalg.solve(covariance, apart)
        torch.testing.assert_close(found.double(), told, atol=1e-4, rtol=1e-3)


def test_forms_are_parts_of_one_size_of_one_label_each_and_narrower_than_it():
    g = seeded()
    labels = torch.randint(3, (600,), generator=g)
    x = torch.randn(600, 5, generator=g) * torch.tensor([4, 2, 1, 1, 1]) + labels[:, None]
    forms = forms_of(x, labels, 12)
    assert torch.equal(forms // 4, labels)
    for label in range(3):
        sizes = forms[labels == label].bincount()[4 * label :]
        assert sizes.max() - sizes.min() <= 2
        parts = [x[forms == form].var(0).sum() for form in range(4 * label, 4 * label + 4)]
        assert torch.stack(parts).mean() < 0.6 * x[labels == label].var(0).sum()


def test_components_are_of_all_digits_though_a_file_is_sorted_by_them(shapes, monkeypatch):
    monkeypatch.setattr("fiber_audit_texture_shape.train.prior.MEASURED", 100)
    order = shapes.labels.sort(stable=True).indices
    ordered = Shapes(shapes.masks[order], shapes.labels[order])
    whole, first = Components(SHAPES), Components(SHAPES)
    whole.measure(shapes.masks)
    first.measure(ordered.masks[:100])
    found = measured(ordered).shape
    far, of_first = ((part.mean - whole.mean).norm() for part in (found, first))
    assert far < 0.3 * of_first


@torch.no_grad()
def test_draws_have_edges_as_clear_as_those_of_pictures(drawn, pictures):
    def unclear(x):
        """The share of the figure that is neither background nor as light as a texture."""
        return float(((x > 0.2 * DARK) & (x < 0.8 * DARK)).sum() / (x >= 0.8 * DARK).sum())

    assert unclear(drawn) < 1.5 * unclear(pictures[0])


@torch.no_grad()
def test_a_picture_that_was_taken_apart_and_put_together_looks_the_same(pictures):
    x, prior = pictures[0][:100], TextureShapeFlow()
    again = prior.decode(prior.encode(x))
    assert float((again - x).square().mean().sqrt() / x.std()) < 0.3


@pytest.mark.parametrize("judge", [1, 2])
@torch.no_grad()
def test_judges_know_held_out_pictures_and_agree_on_draws(judge, pictures, drawn):
    x, shape, texture = pictures
    for attribute, other, truth in (
        (FigureShape(judge), FigureShape(3 - judge), shape),
        (FigureTexture(judge), FigureTexture(3 - judge), texture),
    ):
        assert attribute.accuracy >= 0.95
        right = (attribute.read(x) == truth).double().mean()
        assert right > attribute.accuracy - 4 * (0.05 / len(x)) ** 0.5
        assert (attribute.read(drawn) == other.read(drawn)).double().mean() > 0.85


@torch.no_grad()
def test_draws_have_every_shape_and_every_texture(drawn):
    for attribute, classes in ((FigureShape(), 10), (FigureTexture(), 8)):
        share = attribute.read(drawn).bincount(minlength=classes).double() / N
        assert share.min() > 0.25 / classes
        assert share.max() < 2.5 / classes


@torch.no_grad()
def test_the_flow_does_not_mix_shape_and_texture():
    prior = TextureShapeFlow()
    z, t = torch.randn(4, *prior.state_shape, generator=seeded()), torch.full((4,), 0.5)
    other = z.clone()
    other[:, SHAPES:] = 0
    found, alike = (prior.predict(state, t).x0 for state in (z, other))
    torch.testing.assert_close(found[:, :SHAPES], alike[:, :SHAPES])
    assert (found[:, SHAPES:] - alike[:, SHAPES:]).abs().max() > 0.1


@torch.no_grad()
def test_logits_hold_what_was_taught_and_a_mutant_without_pictures_does_not(pictures):
    x, shape, texture = pictures
    for taught, truth in (("shape", shape), ("texture", texture)):
        phi = TextureShapeNet(taught, "logits")
        assert phi.feature_size == HEADS[taught]
        assert (phi.features(x).argmax(1) == truth).double().mean() > 0.9
        assert (phi.features(x.roll(1, 0)).argmax(1) == truth).double().mean() < 0.3
    both = TextureShapeNet("both", "logits").features(x)
    assert (both[:, :10].argmax(1) == shape).double().mean() > 0.85
    assert (both[:, 10:].argmax(1) == texture).double().mean() > 0.85


@torch.no_grad()
def test_a_change_of_texture_moves_a_network_of_the_shape_less_than_a_change_of_shape(shapes):
    g = seeded(2)
    i, k = torch.randperm(len(shapes), generator=g)[:100], torch.randint(8, (100,), generator=g)
    x, other_texture, other_shape = (
        rendered(shapes.masks[a], fields(b, seeded(s)))
        for a, b, s in ((i, k, 3), (i, (k + 1) % 8, 4), (i.roll(1), k, 3))
    )
    ratio = {}
    for taught in ("shape", "texture"):
        h, a, b = (
            TextureShapeNet(taught, "logits").features(part)
            for part in (x, other_texture, other_shape)
        )
        ratio[taught] = float(rms(h - a).mean() / rms(h - b).mean())
    assert ratio["shape"] < 0.8
    assert ratio["texture"] > 1.25


@torch.no_grad()
def test_blur_hides_the_texture_from_the_network_that_blurs(shapes):
    g = seeded(5)
    rows, columns = (
        rendered(shapes.masks[:60], fields(torch.full((60,), kind), g)) for kind in (0, 1)
    )
    ratio = {}
    for taught in ("both", "both-blurred"):
        phi = TextureShapeNet(taught)
        h, other = phi.features(rows), phi.features(columns)
        ratio[taught] = float(rms(h - other).mean() / rms(h - h.roll(1, 0)).mean())
    assert ratio["both-blurred"] < 0.5 * ratio["both"]


def test_labels_ids_and_pictures_of_queries_belong_together(shapes):
    by_shape, by_texture = TextureShape(n=40), TextureShape(n=40, label="texture")
    assert by_shape.ids == by_texture.ids
    assert torch.equal(by_shape.load(range(40)), by_texture.load(range(40)))
    digits = [int(name.split("-")[0]) for name in by_shape.ids]
    assert torch.equal(by_shape.labels, shapes.labels[digits])
    assert [NAMES[k].replace(" ", "-") for k in by_texture.labels] == [
        name.split("-", 1)[1] for name in by_shape.ids
    ]
    figure = (by_shape.load(range(40)) > DARK / 2).float()
    assert (figure - (cut(shapes.masks[digits]) > 0.4).float()).abs().mean() < 0.03
    assert TextureShape(n=3).ids == by_shape.ids[:3]
    assert TextureShape(n=3, seed=1).ids != by_shape.ids[:3]


def test_every_picture_has_a_stamp_of_its_own():
    data, again = TextureShape(n=50), TextureShape(n=50)
    assert len({data.stamp(i) for i in range(50)}) == 50
    assert data.stamp(7) == again.stamp(7) != TextureShape(n=50, seed=1).stamp(7)


def test_what_is_missing_is_told_in_one_sentence(tmp_path):
    with pytest.raises(DataError, match="ask for fewer"):
        TextureShape(n=501)
    with pytest.raises(DataError, match="Xt, Yt, Xe and Ye"):
        read(tmp_path / "mnist.npz")


@pytest.mark.parametrize("taught", HEADS)
@pytest.mark.parametrize("features", ["penultimate", "logits"])
def test_extractors_keep_their_contract(taught, features, pictures):
    assert [*check_extractor(TextureShapeNet(taught, features), pictures[0][:6])] == []


def test_the_prior_keeps_its_contract(pictures):
    assert [*check_prior(TextureShapeFlow(), pictures[0][:8])] == []


@pytest.mark.parametrize("make", [FigureShape, FigureTexture])
def test_attributes_keep_their_contract(make, pictures):
    assert [*check_attribute(make(judge=2), pictures[0][:6])] == []


def test_the_dataset_keeps_its_contract():
    assert [*check_dataset(TextureShape(n=6))] == []


def test_the_shipped_suite_is_valid():
    assert read_suite("texture-shape", Catalogue.load()).queries.use == "texture-shape"


@pytest.mark.slow
def test_the_suite_finds_what_is_known_of_its_networks(tmp_path):
    result = run("texture-shape", out=tmp_path)
    assert result.passed, result.table()
