import asyncio

import pytest

from agent_bus.bus import Bus
from agent_bus.document_index import DocumentIndex
from agent_bus.documents import Documents, new_document_id
from agent_bus.tags import TagAggregate
from tests.unit.agent_bus.test_documents import make


@pytest.fixture
def documents(bus: Bus) -> Documents:
    return Documents(bus, "http://docs.example")


async def test_nothing_is_wrong_with_what_the_scripts_wrote(bus: Bus, documents: Documents) -> None:
    for number in range(3):
        await make(documents, tags=("a", f"t{number}"))
    await documents.begin_upload(new_document_id())
    assert await DocumentIndex(bus).rebuild() == 0
    assert (await documents.page()).total == 3


async def test_lost_indexes_are_made_anew(bus: Bus, documents: Documents) -> None:
    made = [(await make(documents, f"{n}.txt", ("a",))).document for n in range(3)]
    keys = bus.keys
    await bus.redis.delete(keys.documents, keys.filenames, keys.tags, keys.tag("a"), keys.tags_version)
    assert await DocumentIndex(bus).rebuild() == 3 * 3 + 1
    assert list((await documents.page(filename="txt", tags=["a"])).documents) == made[::-1]
    assert [(t.name, t.count) for t in (await TagAggregate(bus).count())[1]] == [("a", 3)]


async def test_strays_are_taken_out(bus: Bus, documents: Documents) -> None:
    document = (await make(documents, tags=("a",))).document
    keys, gone = bus.keys, new_document_id()
    await bus.redis.zadd(keys.documents, {gone: 1})
    await bus.redis.hset(keys.filenames, gone, "gone.txt")
    await bus.redis.zadd(keys.tag("a"), {gone: 1})
    await bus.redis.zadd(keys.tag("b"), {document.id: 1})
    await bus.redis.sadd(keys.tags, "b", "c")
    await bus.redis.hset(keys.tags_aggregate, mapping={"version": "99", "tags": '[{"name":"x","count":9}]'})
    assert await DocumentIndex(bus).rebuild() == 6
    assert (await documents.page()).total == 1
    assert (await documents.page(tags=["b"])).total == 0

    async def no_job() -> None:
        raise AssertionError("the aggregate is current")

    assert [(t.name, t.count) for t in await TagAggregate(bus).read(no_job)] == [("a", 1)]


async def test_keys_of_a_wrong_type_are_replaced(bus: Bus, documents: Documents) -> None:
    document = (await make(documents, tags=("a",))).document
    keys = bus.keys
    for key in (keys.documents, keys.filenames, keys.tags, keys.tag("a"), keys.tags_aggregate):
        await bus.redis.set(key, "damaged")
    await DocumentIndex(bus).rebuild()
    assert (await documents.page(filename="a", tags=["a"])).documents == [document]


async def test_writers_go_on_during_a_rebuild(bus: Bus, documents: Documents) -> None:
    for number in range(30):
        await make(documents, f"{number}.txt", ("a",))

    async def write() -> None:
        for _ in range(20):
            document = (await make(documents, "w.txt", ("a", "w"))).document
            await documents.patch(document.id, tags=["w"])
            await documents.delete(document.id)
        await make(documents, "last.txt", ("w",))

    await asyncio.gather(write(), *(DocumentIndex(bus).rebuild() for _ in range(3)))
    assert (await documents.page()).total == 31
    assert [(t.name, t.count) for t in (await TagAggregate(bus).count())[1]] == [("a", 30), ("w", 1)]
    assert await DocumentIndex(bus).rebuild() == 0
