"""A table and its digest are of one run, however many runs end in a directory at one moment."""

from concurrent.futures import ThreadPoolExecutor

from fiber_audit.records import frame, read, write

WRITERS, TIMES = 3, 8


def table(message):
    return frame([{"audit": "a/b/c", "metric": "m", "statistic": "mean", "message": message}])


def test_whoever_reads_while_others_write_finds_a_table_and_its_own_digest(tmp_path):
    tables = [table("x" * (k + 1)) for k in range(WRITERS)]
    write(tables[0], tmp_path)
    lengths = []
    with ThreadPoolExecutor(WRITERS) as pool:
        at_work = [
            pool.submit(lambda each=each: [write(each, tmp_path) for _ in range(TIMES)])
            for each in tables
        ]
        while not all(each.done() for each in at_work):
            lengths.append(len(read(tmp_path)["message"].iloc[0]))
    for each in at_work:
        each.result()

    assert lengths
    assert set(lengths) <= {1, 2, 3}
