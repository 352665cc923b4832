"""Laws of the random numbers."""

from __future__ import annotations

import torch

from fiber_audit.noise import Noise, derive_seed


def test_a_derived_seed_is_the_same_everywhere_and_fits_a_generator():
    assert derive_seed(0, "query-7", 3) == 4751619156687403411
    seeds = [derive_seed(0, i) for i in range(1000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert len(set(seeds)) == 1000


def test_a_derived_seed_depends_on_every_part_and_on_where_the_parts_end():
    parts = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a1"), ("0a", 1), (0, "a")]
    assert len({derive_seed(*p) for p in parts}) == len(parts)


def test_a_row_depends_on_its_own_seed_only():
    together = Noise([5, 6, 7])
    alone = Noise([6])
    for shape in ((3,), (2, 4)):
        assert torch.equal(together.normal(shape)[1], alone.normal(shape)[0])


def test_a_child_leaves_the_main_stream_alone_and_shares_nothing_with_it():
    plain, asked = Noise([1, 2]), Noise([1, 2])
    child = asked.child("target").normal((64,))
    assert torch.equal(plain.normal((64,)), asked.normal((64,)))
    assert not torch.equal(child, Noise([1, 2]).normal((64,)))
    assert not torch.equal(child, Noise([1, 2]).child("travel").normal((64,)))
    assert torch.equal(child, Noise([1, 2]).child("target").normal((64,)))


def test_selected_rows_go_on_with_their_own_streams():
    noise, whole = Noise([1, 2, 3]), Noise([1, 2, 3])
    noise.normal((4,)), whole.normal((4,))
    rest = whole.normal((4,))
    part = noise.select(torch.tensor([False, True, True]))
    assert part.seeds == (2, 3)
    assert torch.equal(part.normal((4,)), rest[1:])
    assert noise.select(torch.tensor([2, 0])).seeds == (3, 1)


def test_noise_is_standard_normal_independent_over_rows_and_typed_like_its_model():
    drawn = Noise(range(200)).normal((500,)).double()
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.02
    assert abs((drawn[:100] * drawn[100:]).mean()) < 0.02
    assert Noise([0]).normal((3,), torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_nothing_touches_the_global_generator():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    Noise([1, 2]).child("x").normal((4,))
    assert torch.equal(torch.random.get_rng_state(), before)
