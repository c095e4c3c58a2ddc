import pytest

from agent_bus.bus import Bus
from agent_bus.documents import Documents, NewDocument, new_document_id
from agent_bus.messages import TagCount
from agent_bus.tags import MAX_TAGS, InvalidTags, TagAggregate, parse_tags, split_tags
from tests.unit.agent_bus.test_documents import make, messages


class Jobs:
    def __init__(self) -> None:
        self.requested = 0

    async def request(self) -> None:
        self.requested += 1


def counts(**tags: int) -> list[TagCount]:
    return [TagCount(name=name, count=count) for name, count in tags.items()]


@pytest.fixture
def aggregate(bus: Bus) -> TagAggregate:
    return TagAggregate(bus)


@pytest.fixture
def documents(bus: Bus) -> Documents:
    return Documents(bus, "http://docs.example")


def test_tags_keep_their_order_each_once() -> None:
    assert parse_tags(split_tags(" b, a ,b,, c-1,")) == ["b", "a", "c-1"]


@pytest.mark.parametrize("bad", ["a b", "é", "a_b", "a" * 65, "٣", "a\n", ""])
def test_a_bad_tag_is_named(bad: str) -> None:
    with pytest.raises(InvalidTags) as caught:
        parse_tags(["good", bad])
    assert repr(bad) in str(caught.value)


def test_too_many_tags_are_refused() -> None:
    assert len(parse_tags([f"t{n}" for n in range(MAX_TAGS)])) == MAX_TAGS
    with pytest.raises(InvalidTags, match="at most"):
        parse_tags([f"t{n}" for n in range(MAX_TAGS + 1)])


async def test_counts_come_by_count_then_name(aggregate: TagAggregate, documents: Documents) -> None:
    await make(documents, tags=("b", "a"))
    await make(documents, tags=("c", "b"))
    document = (await make(documents, tags=("z",))).document
    await documents.delete(document.id)
    assert (await aggregate.count())[1] == counts(b=2, a=1, c=1)


async def test_without_workers_a_reader_counts_for_itself(aggregate: TagAggregate, documents: Documents) -> None:
    jobs = Jobs()
    assert await aggregate.read(jobs.request) == []
    assert jobs.requested == 1
    await make(documents, tags=("a",))
    assert await aggregate.read(jobs.request) == counts(a=1)
    assert jobs.requested == 1


async def test_a_materialised_aggregate_is_served_until_the_tags_change(
    bus: Bus, aggregate: TagAggregate, documents: Documents
) -> None:
    jobs = Jobs()
    document = (await make(documents, tags=("a",))).document
    assert await aggregate.materialise() == 1
    assert await bus.redis.exists(bus.keys.tags_pending) == 0
    await bus.redis.sadd(bus.keys.tags, "unseen")
    assert await aggregate.read(jobs.request) == counts(a=1)
    assert jobs.requested == 0
    stored = await documents.patch(document.id, tags=["b"])
    assert stored is not None
    assert stored.wants_job
    assert await aggregate.read(jobs.request) == counts(b=1)


async def test_an_aggregate_is_announced_when_it_changed(
    bus: Bus, aggregate: TagAggregate, documents: Documents
) -> None:
    await make(documents, tags=("a",))
    await aggregate.materialise()
    await aggregate.materialise()
    updates = [m for m in await messages(bus) if m["type"] == "tags_updated"]
    assert updates == [{"type": "tags_updated", "seq": 2, "tags": [{"name": "a", "count": 1}]}]


async def test_no_tags_are_announced_as_a_list(bus: Bus, aggregate: TagAggregate, documents: Documents) -> None:
    document = (await make(documents, tags=("a",))).document
    await aggregate.materialise()
    await documents.delete(document.id)
    await aggregate.materialise()
    assert (await messages(bus))[-1] == {"type": "tags_updated", "seq": 4, "tags": []}


async def test_a_write_while_the_job_counts_makes_it_count_once_more(
    aggregate: TagAggregate, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race: counted before the write, stored after it, with nobody left to count again."""
    await make(documents, tags=("a",))
    count, calls = aggregate.count, 0

    async def count_then_write() -> tuple[int, list[TagCount]]:
        nonlocal calls
        calls += 1
        counted = await count()
        if calls == 1:
            assert not (await make(documents, tags=("a",))).wants_job
        return counted

    monkeypatch.setattr(aggregate, "count", count_then_write)
    assert await aggregate.materialise() == 2
    monkeypatch.undo()
    jobs = Jobs()
    assert await aggregate.read(jobs.request) == counts(a=2)
    assert jobs.requested == 0


async def test_an_older_count_never_replaces_a_newer_one(bus: Bus, documents: Documents) -> None:
    aggregate, late = TagAggregate(bus), TagAggregate(bus)
    await make(documents, tags=("a",))
    version, old = await late.count()
    await make(documents, tags=("a",))
    await aggregate.materialise()
    keys = bus.keys
    text = f'[{{"name":"a","count":{old[0].count}}}]'
    args = (version, text, 1000)
    assert not await bus.run("materialise_tags", (keys.tags_version, keys.tags_aggregate, keys.tags_pending), args)
    assert await aggregate.read(Jobs().request) == counts(a=2)


async def test_a_job_lost_with_its_worker_is_asked_for_again_by_the_next_reader(
    bus: Bus, aggregate: TagAggregate, documents: Documents
) -> None:
    assert (await make(documents, tags=("a",))).wants_job
    await bus.redis.delete(bus.keys.tags_pending)  # what its expiry does
    jobs = Jobs()
    assert await aggregate.read(jobs.request) == counts(a=1)
    assert jobs.requested == 1


async def test_a_failed_enqueuing_is_made_up_for_by_the_next_write(
    aggregate: TagAggregate, documents: Documents
) -> None:
    assert (await make(documents, tags=("a",))).wants_job
    await aggregate.forget_request()
    assert (await make(documents, tags=("a",))).wants_job


async def test_one_document_has_a_tag_once(documents: Documents, aggregate: TagAggregate) -> None:
    document_id = new_document_id()
    await documents.begin_upload(document_id)
    await documents.create(document_id, NewDocument("a", "a/b", 0, "00", ["x"], {}))
    await documents.patch(document_id, tags=["x"])
    assert (await aggregate.count())[1] == counts(x=1)
