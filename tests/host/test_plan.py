from fiber_audit._draw.plan import Plan, audits, references, seeds
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


def test_ids_tell_queries_draws_and_audits_apart_and_know_no_batch(toy_suite, toy_catalogue):
    plan, audit = plan_of(toy_suite(), toy_catalogue)
    other, _ = plan_of(toy_suite(), toy_catalogue, "batch_size=2")
    ids = plan.units(audit, range(5))

    assert len(set(ids)) == 15
    assert other.units(audit, range(5)) == ids
    assert not set(plan.units(audit.reference, range(5))) & set(ids)


def test_another_content_of_one_query_changes_its_ids_only(toy_suite, toy_catalogue):
    plan, audit = plan_of(toy_suite(), toy_catalogue)
    items = (*plan.items[:4], "other")
    changed, _ = plan_of(toy_suite(), toy_catalogue, items=items)

    assert plan.units(audit, range(4)) == changed.units(audit, range(4))
    assert not set(plan.units(audit, [4])) & set(changed.units(audit, [4]))


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
