import asyncio
import uuid
from typing import Any

import orjson
import pytest

from agent_bus.bus import Bus
from agent_bus.documents import (
    Documents,
    NewDocument,
    StoredDocument,
    UploadLapsed,
    VersionConflict,
    name_matcher,
    new_document_id,
)

CHECKSUM = "ab" * 32


@pytest.fixture
def documents(bus: Bus) -> Documents:
    return Documents(bus, "http://docs.example")


async def make(
    documents: Documents, filename: str = "a.txt", tags: tuple[str, ...] = (), **metadata: str
) -> StoredDocument:
    document_id = new_document_id()
    await documents.begin_upload(document_id)
    return await documents.create(document_id, NewDocument(filename, "text/plain", 3, CHECKSUM, tags, metadata))


async def messages(bus: Bus) -> list[dict[str, Any]]:
    return [orjson.loads(message.json) for message in await bus.read(0, limit=100)]


async def test_a_created_document_has_what_was_sent_and_is_announced_once(bus: Bus, documents: Documents) -> None:
    stored = await make(documents, 'q"\\/é\n.txt', ("b", "a"), author="Ann", description='so "fine" /')
    document = stored.document
    assert document.model_dump() == {
        "id": document.id,
        "filename": 'q"\\/é\n.txt',
        "content_type": "text/plain",
        "size_bytes": 3,
        "checksum": CHECKSUM,
        "created_at": document.created_at,
        "updated_at": document.created_at,
        "tags": ["b", "a"],
        "metadata": {"author": "Ann", "description": 'so "fine" /'},
        "url": f"http://docs.example/documents/{document.id}",
    }
    assert stored.version == 1
    assert stored.wants_job
    assert await documents.get(document.id) == StoredDocument(document, 1)
    (message,) = await messages(bus)
    assert message == {"type": "document_created", "seq": 1, "document": document.model_dump()}


async def test_no_tags_and_no_metadata_stay_a_list_and_an_object(bus: Bus, documents: Documents) -> None:
    stored = await make(documents)
    assert stored.document.tags == []
    assert stored.document.metadata == {}
    assert not stored.wants_job
    (message,) = await messages(bus)
    assert message["document"]["tags"] == []
    assert message["document"]["metadata"] == {}


async def test_a_creation_repeated_because_its_answer_was_lost_happens_once(bus: Bus, documents: Documents) -> None:
    stored = await make(documents, tags=("a",))
    again = await documents.create(stored.document.id, NewDocument("a.txt", "text/plain", 3, CHECKSUM, ("a",), {}))
    assert again == StoredDocument(stored.document, 1)
    assert len(await messages(bus)) == 1


async def test_an_upload_whose_mark_is_gone_makes_no_document(bus: Bus, documents: Documents) -> None:
    document_id = new_document_id()
    await documents.begin_upload(document_id)
    assert await documents.known([document_id]) == [True]
    assert await documents.get(document_id) is None
    await documents.renew_upload(document_id)
    assert await documents.abandon_upload(document_id)
    with pytest.raises(UploadLapsed):
        await documents.renew_upload(document_id)
    with pytest.raises(UploadLapsed):
        await documents.create(document_id, NewDocument("a", "a/b", 0, CHECKSUM, (), {}))
    assert await documents.known([document_id]) == [False]
    assert await messages(bus) == []


async def test_a_mark_expires_and_a_document_does_not(bus: Bus, documents: Documents) -> None:
    document_id = new_document_id()
    await documents.begin_upload(document_id)
    assert await bus.redis.pttl(bus.keys.document(document_id)) > 0
    stored = await make(documents)
    assert await bus.redis.pttl(bus.keys.document(stored.document.id)) == -1


async def test_a_mark_is_not_taken_back_once_there_is_a_document(documents: Documents) -> None:
    stored = await make(documents)
    assert not await documents.abandon_upload(stored.document.id)
    assert await documents.get(stored.document.id) is not None


async def test_a_patch_touches_only_what_it_names(bus: Bus, documents: Documents) -> None:
    before = (await make(documents, tags=("a", "b"), author="Ann")).document
    described = await documents.patch(before.id, description="new")
    assert described is not None
    assert described.version == 2
    assert not described.wants_job
    assert described.document.updated_at > before.updated_at
    assert described.document == before.model_copy(
        update={"metadata": {"author": "Ann", "description": "new"}, "updated_at": described.document.updated_at}
    )
    tagged = await documents.patch(before.id, tags=["c"])
    assert tagged is not None
    assert tagged.document.tags == ["c"]
    assert tagged.document.metadata == {"author": "Ann", "description": "new"}
    cleared = await documents.patch(before.id, clear_description=True)
    assert cleared is not None
    assert cleared.document.metadata == {"author": "Ann"}
    untagged = await documents.patch(before.id, tags=[])
    assert untagged is not None
    assert untagged.document.tags == []
    assert [m["type"] for m in await messages(bus)] == ["document_created"] + ["document_updated"] * 4
    assert (await messages(bus))[-1]["document"] == untagged.document.model_dump()


async def test_the_update_time_moves_even_when_the_clock_was_set_back(bus: Bus, documents: Documents) -> None:
    document = (await make(documents)).document
    future = 4_000_000_000_999_999
    await bus.redis.hset(bus.keys.document(document.id), "updated_us", str(future))
    patched = await documents.patch(document.id, description="x")
    assert patched is not None
    assert patched.document.updated_at == "2096-10-02T07:06:41.000000+00:00"


async def test_a_patch_of_another_version_is_refused(documents: Documents) -> None:
    document = (await make(documents)).document
    assert await documents.patch(document.id, description="x", versions=[1]) is not None
    with pytest.raises(VersionConflict) as caught:
        await documents.patch(document.id, description="y", versions=[1])
    assert caught.value.version == 2
    with pytest.raises(VersionConflict):
        await documents.delete(document.id, versions=[])
    assert await documents.patch(document.id, description="y", versions=[7, 2]) is not None


async def test_a_deleted_document_is_gone_from_everywhere(bus: Bus, documents: Documents) -> None:
    document = (await make(documents, tags=("a",))).document
    await bus.redis.delete(bus.keys.tags_pending)
    assert await documents.delete(document.id) is True
    assert await documents.delete(document.id) is None
    assert await documents.get(document.id) is None
    assert await documents.patch(document.id, description="x") is None
    assert (await documents.page()).total == 0
    left = {key.decode() async for key in bus.redis.scan_iter(match=f"{bus.keys.namespace}:*")}
    keys = bus.keys
    assert left == {keys.counter, keys.epoch, keys.stream, keys.tags_version, keys.tags_pending}
    assert (await messages(bus))[-1] == {"type": "document_deleted", "seq": 2, "document_id": document.id}


@pytest.mark.parametrize("document_id", ["", "*", "tags", "x" * 32, "A" * 32, "0" * 31, "é" * 32])
async def test_what_is_no_id_finds_nothing(documents: Documents, document_id: str) -> None:
    assert await documents.get(document_id) is None
    assert await documents.patch(document_id, description="x") is None
    assert await documents.delete(document_id) is None


async def test_documents_come_newest_first_in_pages_with_their_total(documents: Documents) -> None:
    names = [f"{number}.txt" for number in range(7)]
    for name in names:
        await make(documents, name)
    page = await documents.page(limit=3, offset=2)
    assert page.total == 7
    assert [d.filename for d in page.documents] == ["4.txt", "3.txt", "2.txt"]
    assert (await documents.page(offset=7)).documents == []
    assert (await documents.page(offset=2**53)).documents == []


async def test_all_tags_must_match_and_pages_keep_the_order(documents: Documents) -> None:
    for number in range(6):
        tags = ("all", "even") if number % 2 == 0 else ("all",)
        await make(documents, f"{number}.txt", tags)
    page = await documents.page(tags=["all", "even"], limit=2)
    assert (page.total, [d.filename for d in page.documents]) == (3, ["4.txt", "2.txt"])
    page = await documents.page(tags=["even", "all", "even"], limit=2, offset=2)
    assert (page.total, [d.filename for d in page.documents]) == (3, ["0.txt"])
    assert (await documents.page(tags=["all", "even"], offset=9)).documents == []
    assert (await documents.page(tags=["all", "none"])).total == 0
    assert (await documents.page(tags=["no tag, certainly*"])).total == 0


async def test_a_filter_that_is_remembered_follows_every_change(bus: Bus, documents: Documents) -> None:
    fresh = Documents(bus, "http://docs.example")

    async def names() -> list[str]:
        remembered = await documents.page(tags=["a", "b"])
        assert remembered == await documents.page(tags=["a", "b"])
        assert remembered == await Documents(bus, "http://docs.example").page(tags=["a", "b"])
        assert remembered.total == len(remembered.documents)
        return [document.filename for document in remembered.documents]

    first = (await make(documents, "1.txt", ("a", "b"))).document
    second = (await make(documents, "2.txt", ("a",))).document
    assert await names() == ["1.txt"]
    await fresh.patch(second.id, tags=["b", "a"])
    assert await names() == ["2.txt", "1.txt"]
    await fresh.patch(second.id, description="changes nothing of what matches")
    assert (await documents.page(tags=["a", "b"], limit=1)).documents[0].metadata != {}
    await make(fresh, "3.txt", ("a", "b", "c"))
    assert await names() == ["3.txt", "2.txt", "1.txt"]
    await fresh.delete(first.id)
    assert await names() == ["3.txt", "2.txt"]


async def test_what_is_remembered_of_a_redis_that_lost_its_past_does_not_count(bus: Bus, documents: Documents) -> None:
    await make(documents, "old.txt", ("a", "b"))
    assert (await documents.page(tags=["a", "b"])).total == 1
    async for key in bus.redis.scan_iter(f"{bus.keys.namespace}:*"):
        await bus.redis.delete(key)
    await make(documents, "new.txt", ("b", "a"))
    page = await documents.page(tags=["a", "b"])
    assert [document.filename for document in page.documents] == ["new.txt"]


async def test_only_so_many_filters_are_remembered_and_none_that_is_too_large(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_bus.documents.KNOWN_FILTERS", 2)
    monkeypatch.setattr("agent_bus.documents.LARGEST_KNOWN", 1)
    await make(documents, "1.txt", ("a", "b", "c"))
    for tags in (["a", "b"], ["a", "c"], ["b", "c"], ["a", "c"]):
        assert (await documents.page(tags=tags)).total == 1
    assert len(documents._known) == 2
    await make(documents, "2.txt", ("a", "b"))
    assert (await documents.page(tags=["a", "b"])).total == 2
    assert sorted(len(known.ids) for known in documents._known.values()) == [1, 1]


async def test_names_and_tags_filter_together(documents: Documents) -> None:
    await make(documents, "Report.PDF", ("a", "b"))
    await make(documents, "report.txt", ("a",))
    await make(documents, "other.pdf", ("a", "b"))
    page = await documents.page(filename="REPORT", limit=1)
    assert (page.total, [d.filename for d in page.documents]) == (2, ["report.txt"])
    page = await documents.page(filename="*.pdf", tags=["a", "b"], offset=1)
    assert (page.total, [d.filename for d in page.documents]) == (2, ["Report.PDF"])


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("port", "Report.txt", True),
        ("*.TXT", "report.txt", True),
        ("*.tx", "report.txt", False),
        ("r?port.txt", "rEport.txt", True),
        ("[a-c]*", "Beta", True),
        ("straße", "STRASSE.txt", True),
        ("e\u0301", "caf\u00e9", True),
        (".", "none", False),
        ("a[", "a[", True),
    ],
)
def test_names_match_without_regard_to_case_and_composition(pattern: str, name: str, matches: bool) -> None:
    assert name_matcher(pattern)(name) is matches


async def test_one_job_is_wanted_however_many_writes(bus: Bus, documents: Documents) -> None:
    wants = [(await make(documents, tags=("a",))).wants_job for _ in range(5)]
    assert wants == [True, False, False, False, False]
    assert await bus.redis.pttl(bus.keys.tags_pending) > 0


async def test_no_job_is_wanted_while_one_waits_in_the_queue(bus: Bus, documents: Documents) -> None:
    queue = f"rq:queue:{bus.keys.namespace}-tags"
    await bus.redis.rpush(queue, "job")
    assert not (await make(documents, tags=("a",))).wants_job
    await bus.redis.delete(queue)
    assert (await make(documents, tags=("a",))).wants_job


async def test_concurrent_patches_all_count(documents: Documents) -> None:
    document = (await make(documents)).document
    await asyncio.gather(*(documents.patch(document.id, description=uuid.uuid4().hex) for _ in range(20)))
    stored = await documents.get(document.id)
    assert stored is not None
    assert stored.version == 21
