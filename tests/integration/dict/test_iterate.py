"""Iteration, on both drivers, in both layouts, with and without the index."""

import asyncio

import pytest

from tests.integration.dict.stores import KINDS, Kind, run
from workers.dict.error import DictIterationError
from workers.dict.iterate_flags import IterateFlag
from workers.dict.layout import LAYOUTS

RECURSE, BY_KEY, BY_VALUE, NO_VALUE, EXACT, ASYNC = IterateFlag

TREE = ((b"shared/m", b"5"), (b"shared/mm", b"3"), (b"shared/m/1", b"4"), (b"shared/m/1/x", b"2"), (b"shared/n", b"1"))


@pytest.mark.parametrize(
    ("path", "flags", "expected"),
    [
        (b"shared/m", 0, [b"shared/m", b"shared/mm"]),
        (b"shared/m", ASYNC, [b"shared/m", b"shared/mm"]),
        (b"shared/m/", 0, [b"shared/m/1"]),
        (b"shared/", 0, [b"shared/m", b"shared/mm", b"shared/n"]),
        (b"shared/", RECURSE, sorted(key for key, _ in TREE)),
        (b"shared/m", RECURSE, [b"shared/m", b"shared/m/1", b"shared/m/1/x", b"shared/mm"]),
        (b"shared/m", EXACT, [b"shared/m"]),
        (b"shared/m/1", EXACT, [b"shared/m/1"]),
        (b"shared/m/", EXACT, []),
        (b"shared/m", EXACT | RECURSE, [b"shared/m", b"shared/m/1", b"shared/m/1/x", b"shared/mm"]),
        (b"shared/x", RECURSE, []),
    ],
)
def test_path_and_flags_choose_the_keys(in_dict, path, flags, expected):
    async def test(store):
        await store.write(*TREE)
        return sorted(key for key, _ in await store.rows(path, flags=flags))

    assert expected == in_dict(test)


@pytest.mark.parametrize("flags", [RECURSE, EXACT], ids=["RECURSE", "EXACT_KEY"])
def test_no_value_gives_keys_only(in_dict, flags):
    async def test(store):
        await store.write((b"shared/a", b"1"))
        return await store.rows(b"shared/a", flags=flags | NO_VALUE)

    assert [(b"shared/a",)] == in_dict(test)


def test_sort_by_key_orders_bytes(in_dict):
    keys = [b"shared/" + bytes([byte]) for byte in range(1, 256) if byte != 0x2F]

    async def test(store):
        await store.write(*((key, b"v") for key in reversed(keys)))
        return [key for key, _ in await store.rows(b"shared/", flags=BY_KEY)]

    assert keys == in_dict(test)


def test_sort_by_value_orders_values_then_keys(in_dict):
    async def test(store):
        await store.write(*TREE, (b"shared/a", b"3"))
        return await store.rows(b"shared/", flags=RECURSE | BY_VALUE)

    assert sorted([*TREE, (b"shared/a", b"3")], key=lambda row: (row[1], row[0])) == in_dict(test)


def test_sort_by_value_without_values_shows_keys_in_the_order_of_values(in_dict):
    async def test(store):
        await store.write(*TREE)
        return [key for (key,) in await store.rows(b"shared/", flags=RECURSE | BY_VALUE | NO_VALUE)]

    assert [key for key, _ in sorted(TREE, key=lambda row: row[1])] == in_dict(test)


def test_several_values_survive_sorting(in_dict):
    async def test(store):
        await store.write((b"shared/a", b"1"))
        if store.kind.has_index:
            # Lists are somebody else's; only what was committed here is in the index.
            await store.write((b"shared/l", b""))
            await store.command("DEL", store.name(b"shared/l"))
        await store.put_list(b"shared/l", (b"0", b"", b"3:x"))
        return await store.rows(b"shared/", flags=BY_VALUE)

    assert [(b"shared/l", b"0", b"", b"3:x"), (b"shared/a", b"1")] == in_dict(test)


@pytest.mark.parametrize(("limit", "count"), [(0, 5), (1, 1), (4, 4), (5, 5), (6, 5)])
def test_max_rows_ends_the_iteration(in_dict, limit, count):
    async def test(store):
        await store.write(*TREE)
        return await store.rows(b"shared/", flags=RECURSE, max_rows=limit)

    assert count == len(in_dict(test))


def test_overlapping_paths_give_every_row_once(in_dict):
    async def test(store):
        await store.write(*TREE)
        return await store.rows(b"shared/mm", b"shared/m", b"shared/m", b"shared/n", flags=BY_KEY)

    assert [(b"shared/m", b"5"), (b"shared/mm", b"3"), (b"shared/n", b"1")] == in_dict(test)


def test_no_path_gives_no_rows(in_dict):
    assert [] == in_dict(lambda store: store.rows())


def test_private_and_shared_paths_go_together(in_dict):
    async def test(store):
        await store.write((b"priv/a", b"1"), username=b"joe")
        await store.write((b"priv/b", b"2"), username=b"ann")
        await store.write((b"shared/c", b"3"))
        return sorted(await store.rows(b"priv/", b"shared/", username=b"joe"))

    assert [(b"priv/a", b"1"), (b"shared/c", b"3")] == in_dict(test)


@pytest.mark.parametrize("odd", [b"*", b"?", b"[a]", b"\\", b"^", b"a*b[", b"{", b"\xff", b"\n"], ids=repr)
def test_path_is_text_and_no_pattern(in_dict, odd):
    async def test(store):
        wanted = b"shared/" + odd + b"x"
        await store.write((wanted, b"1"), (b"shared/axb", b"2"), (b"shared/q", b"3"))
        return [(b"shared/" + odd + b"x", b"1")], await store.rows(b"shared/" + odd)

    expected, rows = in_dict(test)
    assert expected == rows


@pytest.mark.parametrize("count", [499, 500, 501, 1500])
def test_every_key_comes_once_across_pages(in_dict, count):
    async def test(store):
        await store.write(*((b"shared/%d" % number, b"%d" % number) for number in range(count)))
        return sorted(await store.rows(b"shared/"))

    assert sorted((b"shared/%d" % number, b"%d" % number) for number in range(count)) == in_dict(test)


def test_iteration_skips_what_lies_below_without_reading_it(in_dict):
    async def test(store):
        await store.write(*((b"shared/d/%d" % number, b"") for number in range(1200)), (b"shared/e", b"1"))
        return await store.rows(b"shared/")

    assert [(b"shared/e", b"1")] == in_dict(test)


def test_keys_that_stay_come_exactly_once_while_others_come_and_go(in_dict):
    staying = {b"shared/stay/%d" % number for number in range(2000)}

    async def churn(store, stop):
        for turn in range(1000):
            if stop.is_set():
                return
            keys = [b"shared/stay/new-%d-%d" % (turn, number) for number in range(500)]
            await store.write(*((key, b"") for key in keys))
            transaction = store.dict.begin()
            for key in keys:
                transaction.unset(key)
            await transaction.commit()

    async def test(store):
        await store.write(*((key, b"v") for key in staying))
        stop = asyncio.Event()
        writer = asyncio.create_task(churn(store, stop))
        seen = []
        for _ in range(3):
            seen += [key for key, *_ in await store.rows(b"shared/stay/")]
        stop.set()
        await writer
        return [key for key in seen if key in staying]

    assert sorted([*staying] * 3) == sorted(in_dict(test))


def test_key_that_goes_during_the_iteration_is_left_out(in_dict):
    async def test(store):
        await store.write(*((b"shared/%04d" % number, b"") for number in range(1500)))
        pages = store.dict.pages([b"shared/"])
        seen = len(await anext(pages))
        transaction = store.dict.begin()
        for number in range(1500):
            transaction.unset(b"shared/%04d" % number)
        await transaction.commit()
        async for page in pages:
            seen += len(page)
        return seen

    # What was fetched before is still given; a page has at most 500 rows.
    assert 500 >= in_dict(test)


def test_abandoned_iteration_can_be_closed(in_dict):
    async def test(store):
        await store.write(*((b"shared/%d" % number, b"") for number in range(1500)))
        pages = store.dict.pages([b"shared/"], BY_VALUE)
        await anext(pages)
        await pages.aclose()
        return len(await store.rows(b"shared/"))

    assert 1500 == in_dict(test)


def test_several_iterations_run_at_once(in_dict):
    async def test(store):
        await store.write(*((b"shared/%d" % number, b"") for number in range(700)))
        return [len(rows) for rows in await asyncio.gather(*(store.rows(b"shared/") for _ in range(8)))]

    assert [700] * 8 == in_dict(test)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.driver == "redis"], ids=str)
def test_wrong_type_fails_the_iteration_after_the_other_rows(redis_url, kind):
    async def test(store):
        await store.write(*TREE, (b"shared/hash", b""))
        await store.command("DEL", store.name(b"shared/hash"))
        await store.command("HSET", store.name(b"shared/hash"), "f", "v")
        seen = []

        async def gather():
            async for row in store.dict.iterate([b"shared/"], RECURSE):
                seen.append(row.key)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(DictIterationError) as caught:
            await gather()
        return sorted(seen), str(caught.value)

    keys, text = run(kind, redis_url, test)
    assert sorted(key for key, _ in TREE) == keys
    assert (
        "redis: Communication failure (last reply: "
        "-WRONGTYPE Operation against a key holding the wrong kind of value)" == text
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_wrong_type_without_values_is_a_key_like_any_other(redis_url, layout):
    async def test(store):
        await store.command("HSET", store.name(b"shared/hash"), "f", "v")
        return await store.rows(b"shared/", flags=NO_VALUE)

    assert [(b"shared/hash",)] == run(Kind("redis", layout), redis_url, test)


def test_large_values_come_in_small_pages(in_dict):
    value = b"v" * 200_000

    async def test(store):
        for number in range(200):
            await store.write((b"shared/%d" % number, value))
        return [len(page) async for page in store.dict.pages([b"shared/"])]

    sizes = in_dict(test)
    assert 200 == sum(sizes)
    if in_dict.kind.driver == "redis":
        assert max(sizes) <= 32
