from fiber_audit._draw.missing import Pieces
from fiber_audit._draw.plan import Lack, Plan, audits, references, seeds
from fiber_audit._suite.read import read


def plan_of(path, catalogue, *settings, items=None):
    suite = read(str(path), catalogue, settings)
    n = suite.queries.options.get("n", 5)
    ids = tuple(f"point-{i}" for i in range(n))
    (audit,) = audits(suite)
    drawn = {audit: "d", audit.reference: "r"}
    return Plan(suite, ids, items or ids, drawn, {audit: ()}), audit


def test_audits_are_the_cross_product_less_the_excluded(toy_suite, toy_catalogue):
    more = "[samplers.half]\nuse = 'toy-projecting'\n[extractors.b]\nuse = 'toy-first-two'\n"
    suite = read(
        str(toy_suite(more + "[[exclude]]\nextractor='b'\nsampler='half'\n")), toy_catalogue
    )
    names = [audit.name for audit in audits(suite)]

    assert names == ["two/gauss/proj", "two/gauss/half", "b/gauss/proj"]
    assert [a.name for a in references(audits(suite))] == ["unguided/gauss"]


def units(plan, drawn, queries):
    piece = plan.piece(drawn, Lack(tuple(queries), frozenset()))
    return [(piece.of, *unit) for unit in piece.units]


def test_units_tell_queries_draws_and_audits_apart_and_know_no_batch(toy_suite, toy_catalogue):
    plan, audit = plan_of(toy_suite(), toy_catalogue)
    other, _ = plan_of(toy_suite(), toy_catalogue, "batch_size=2")
    found = units(plan, audit, range(5))

    assert len(set(found)) == 15
    assert units(other, audit, range(5)) == found
    assert not set(units(plan, audit.reference, range(5))) & set(found)


def test_another_content_of_one_query_changes_its_units_only(toy_suite, toy_catalogue):
    plan, audit = plan_of(toy_suite(), toy_catalogue)
    items = (*plan.items[:4], "other")
    changed, _ = plan_of(toy_suite(), toy_catalogue, items=items)

    assert units(plan, audit, range(4)) == units(changed, audit, range(4))
    assert not set(units(plan, audit, [4])) & set(units(changed, audit, [4]))


def test_more_draws_keep_the_first_ones_and_are_observed_anew(toy_suite, toy_catalogue):
    plan, audit = plan_of(toy_suite(), toy_catalogue)
    more, _ = plan_of(toy_suite(), toy_catalogue, "draws=5")

    assert set(units(plan, audit, range(5))) < set(units(more, audit, range(5)))
    assert plan.seen(audit) != more.seen(audit)


def test_pieces_are_made_when_they_are_dealt_and_know_the_files_of_their_own(
    toy_suite, toy_catalogue
):
    plan, audit = plan_of(toy_suite(), toy_catalogue)
    lacks = [(audit, Lack((q,), frozenset())) for q in range(5)]
    held = {audit: {plan.keys[0]: (1, ("a",))}, audit.reference: {plan.keys[1]: (1, ("b", "c"))}}
    pieces = Pieces(plan, lacks, held)

    assert pieces.draws == 15
    assert [piece.found for piece in pieces] == [("a",), ("b", "c"), (), (), ()]
    assert [piece.queries for piece in pieces[3:]] == [(3,), (4,)]
    assert pieces[1].reads == ("units/b", "units/c")


def test_noise_depends_on_seed_query_and_draw_only(toy_suite, toy_catalogue):
    plan, _ = plan_of(toy_suite(), toy_catalogue)
    other, _ = plan_of(toy_suite(), toy_catalogue, "samplers.proj.strength=0.5", "batch_size=1")
    found = seeds(plan.suite, plan.ids, range(5))

    assert found == seeds(other.suite, other.ids, range(5))
    assert len(set(found)) == 15
    assert seeds(plan.suite, plan.ids, [3, 1]) == [*found[9:12], *found[3:6]]


def test_chunks_hold_whole_queries_and_shards_partition_them(toy_suite, toy_catalogue):
    plan, _ = plan_of(toy_suite(), toy_catalogue, "batch_size=7")
    many, _ = plan_of(toy_suite(), toy_catalogue, "batch_size=1")

    assert plan.chunks() == [(0, 1), (2, 3), (4,)]
    assert many.chunks() == [(i,) for i in range(5)]
    parts = [plan.chunks(i, 3) for i in range(3)]
    assert parts == [[(0, 3)], [(1, 4)], [(2,)]]
