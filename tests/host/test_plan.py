from fiber_audit.components import Components
from fiber_audit.plan import audits, blocks, references, shard, units
from fiber_audit.suite import read


def planned(path, catalogue, *settings):
    suite = read(str(path), catalogue, settings)
    audit = audits(suite)[0]
    return units(suite, audit, Components(suite, catalogue).queries, {"extractors.two": "w"})


def test_audits_are_the_cross_product_less_the_excluded(toy_suite, toy_catalogue):
    more = "[samplers.half]\nuse = 'toy-projecting'\n[extractors.b]\nuse = 'toy-first-two'\n"
    suite = read(
        str(toy_suite(more + "[[exclude]]\nextractor='b'\nsampler='half'\n")), toy_catalogue
    )
    names = [audit.name for audit in audits(suite)]

    assert names == ["two/gauss/proj", "two/gauss/half", "b/gauss/proj"]
    assert [a.name for a in references(audits(suite))] == ["unguided/gauss"]


def test_ids_change_with_all_that_determines_a_draw_and_with_nothing_else(toy_suite, toy_catalogue):
    base = planned(toy_suite(), toy_catalogue)
    ids = {unit.id for unit in base}

    assert len(ids) == len(base) == 15
    assert {u.id for u in planned(toy_suite(), toy_catalogue, "batch_size=2")} == ids
    assert {u.id for u in planned(toy_suite(), toy_catalogue, "draws=2")} < ids
    assert {u.id for u in planned(toy_suite(), toy_catalogue, "queries.n=2")} < ids
    for other in ("seed=1", "samplers.proj.strength=0.5", "target='reconstruction'"):
        assert not ids & {u.id for u in planned(toy_suite(), toy_catalogue, other)}


def test_noise_depends_on_seed_query_and_draw_only(toy_suite, toy_catalogue):
    base = planned(toy_suite(), toy_catalogue)
    other = planned(toy_suite(), toy_catalogue, "samplers.proj.strength=0.5")

    assert [u.seed for u in base] == [u.seed for u in other]
    assert len({u.seed for u in base}) == len(base)


def test_shards_partition_the_units_and_blocks_keep_their_order(toy_suite, toy_catalogue):
    base = planned(toy_suite(), toy_catalogue)
    parts = [shard(base, i, 4) for i in range(4)]

    assert sorted(u.id for part in parts for u in part) == sorted(u.id for u in base)
    audit = audits(read(str(toy_suite()), toy_catalogue))[0]
    assert [u for b in blocks(audit, base, 4) for u in b.units] == base
