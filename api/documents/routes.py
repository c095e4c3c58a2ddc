"""The documents server's routes, as the contract lists them."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator
from pydantic.config import JsonDict
from starlette.exceptions import HTTPException

from agent_bus.blobs import BlobMissing, BlobStoreFailed
from agent_bus.documents import MAX_PAGE, Document, StoredDocument, VersionConflict
from agent_bus.messages import TagCount
from agent_bus.tags import MAX_TAGS, parse_tags, split_tags
from api.documents.downloads import (
    RangeNotSatisfiable,
    download_headers,
    expected_versions,
    not_modified,
    parse_range,
    range_applies,
    version_tag,
)
from api.documents.failures import problems
from api.documents.multipart import FORM_OVERHEAD_BYTES, MultipartForm, boundary_of
from api.documents.services import Services, ServicesOf

logger = logging.getLogger(__name__)
router = APIRouter(tags=["documents"])

MAX_DESCRIPTION_CHARACTERS = 16_384
# Beyond any number of documents, and within what Redis takes as an index.
MAX_OFFSET = 2**53

_TAG = "[A-Za-z0-9-]{1,64}"
_TAG_LIST = {
    "type": "string",
    "pattern": rf"^[ \t]*({_TAG}[ \t]*)?(,[ \t]*({_TAG}[ \t]*)?)*$",
    "description": "Comma-separated",
}
_TAG_ARRAY = {"type": "array", "items": {"type": "string", "pattern": f"^{_TAG}$"}, "maxItems": MAX_TAGS}
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "tags": _TAG_LIST,
                    "metadata": {
                        "anyOf": [{"type": "object", "additionalProperties": {"type": "string"}}, {"const": ""}]
                    },
                },
            },
            "encoding": {"metadata": {"contentType": "application/json"}},
        }
    },
}
_BYTES: dict[str, Any] = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has these bytes already"}}
_IF_MATCH = {
    "parameters": [{"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}],
}


def _without_default(schema: JsonDict) -> None:
    # What is left out stays as it is: null is not what it defaults to.
    schema.pop("default", None)


class DocumentPatch(BaseModel):
    """What changes. A description of null removes it; tags come as a list or comma-separated."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"anyOf": [{"required": ["tags"]}, {"required": ["description"]}]}
    )

    tags: Annotated[
        list[str] | str | None,
        WithJsonSchema({"anyOf": [_TAG_ARRAY, _TAG_LIST]}),
        Field(json_schema_extra=_without_default),
    ] = None
    description: Annotated[
        Annotated[str, Field(max_length=MAX_DESCRIPTION_CHARACTERS)] | None, Field(json_schema_extra=_without_default)
    ] = None

    @field_validator("tags")
    @classmethod
    def _valid(cls, value: list[str] | str | None) -> list[str]:
        if value is None:
            raise ValueError("tags can't be null; send [] to remove them all")
        return parse_tags(split_tags(value) if isinstance(value, str) else value)


class Tags(BaseModel):
    """How many documents have each tag, count descending, then name."""

    tags: list[TagCount]


class Deleted(BaseModel):
    """A document is gone."""

    success: bool = True
    message: str
    document_id: str


def _not_found(document_id: str) -> HTTPException:
    return HTTPException(404, f"There is no document {document_id!r}")


async def _found(services: Services, document_id: str) -> StoredDocument:
    stored = await services.documents.get(document_id)
    if stored is None:
        raise _not_found(document_id)
    return stored


def _conflict(error: VersionConflict) -> HTTPException:
    detail = f"The document has changed meanwhile: it is at version {error.version}"
    return HTTPException(412, detail, version_tag(error.version))


@router.post(
    "/documents",
    status_code=201,
    responses=problems(403, 408, 413, 422),
    openapi_extra={"requestBody": _FORM},
)
async def upload(request: Request, response: Response, services: ServicesOf) -> Document:
    """Stores a file with what describes it."""
    boundary = boundary_of(request.headers.get("content-type", ""))
    limit = services.settings.max_upload_bytes
    announced = request.headers.get("content-length", "")
    if (
        announced.isascii()
        and announced.isdigit()
        and (len(announced) > 18 or int(announced) > limit + FORM_OVERHEAD_BYTES)
    ):
        raise HTTPException(413, f"The file is larger than the limit of {limit} bytes", {"Connection": "close"})
    form = MultipartForm(request.stream(), boundary, limit + FORM_OVERHEAD_BYTES)
    stored = await services.uploads.receive(form)
    if stored.wants_job:
        await services.tag_jobs.request()
    response.headers.update(version_tag(stored.version) | {"Location": f"/documents/{stored.document.id}"})
    return stored.document


@router.get("/documents", responses=problems(422))
async def list_documents(
    response: Response,
    services: ServicesOf,
    filename: Annotated[str, Query(max_length=255, description="Part of the name, or a pattern with * ? [ ]")] = "",
    tags: Annotated[str, Query(max_length=8192, description="Comma-separated; all of them")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> list[Document]:
    """The documents that match, newest first; `X-Total-Count` says how many there are."""
    page = await services.documents.page(filename=filename, tags=split_tags(tags), limit=limit, offset=offset)
    response.headers["X-Total-Count"] = str(page.total)
    return list(page.documents)


@router.get("/documents/tags", responses=problems())
async def list_tags(services: ServicesOf) -> Tags:
    """How many documents have each tag."""
    return Tags(tags=await services.tags.read(services.tag_jobs.request))


@router.get("/documents/{document_id}/metadata", responses=problems(404))
async def metadata(document_id: str, response: Response, services: ServicesOf) -> Document:
    """What describes a document; `ETag` names its version, for `If-Match`."""
    stored = await _found(services, document_id)
    response.headers.update(version_tag(stored.version))
    return stored.document


@router.head("/documents/{document_id}", response_class=Response, responses=problems(404) | _NOT_MODIFIED)
async def download_headers_only(document_id: str, request: Request, services: ServicesOf) -> Response:
    """What a download would say of the bytes."""
    document = (await _found(services, document_id)).document
    headers = download_headers(document)
    if not_modified(request.headers.get("if-none-match"), document.checksum):
        return Response(status_code=304, headers=headers)
    headers |= {"Content-Type": document.content_type, "Content-Length": str(document.size_bytes)}
    return Response(headers=headers)


@router.get(
    "/documents/{document_id}",
    response_class=StreamingResponse,
    responses={200: _BYTES, 206: _BYTES | {"description": "The range asked for"}}
    | problems(404, 416, 500)
    | _NOT_MODIFIED,
    openapi_extra={
        "parameters": [
            {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
            for name in ("Range", "If-Range", "If-None-Match")
        ]
    },
)
async def download(document_id: str, request: Request, services: ServicesOf) -> Response:
    """The bytes, or a range of them."""
    document = (await _found(services, document_id)).document
    size, headers = document.size_bytes, download_headers(document)
    if not_modified(request.headers.get("if-none-match"), document.checksum):
        return Response(status_code=304, headers=headers)
    wanted = None
    if range_applies(request.headers.get("if-range"), document.checksum):
        try:
            wanted = parse_range(request.headers.get("range"), size)
        except RangeNotSatisfiable:
            detail = f"The document has {size} bytes, and none in that range"
            raise HTTPException(416, detail, {"Content-Range": f"bytes */{size}"}) from None
    start, stop = wanted or (0, size)
    try:
        content = await services.blobs.get(document_id, *(wanted or ()))
    except BlobMissing as error:
        logger.exception("the bytes of document %s are missing", document_id)
        raise HTTPException(500, "The document's bytes are missing from the blob store") from error
    if content.size_bytes != size:
        logger.error("document %s has %d bytes in the store, not %d", document_id, content.size_bytes, size)
        raise HTTPException(500, "The document's bytes in the blob store are not those that were uploaded")
    headers |= {"Content-Type": document.content_type, "Content-Length": str(stop - start)}
    chunks = services.metrics.downloading(content.chunks)
    if wanted is None:
        return StreamingResponse(chunks, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return StreamingResponse(chunks, 206, headers)


async def _expected(request: Request, document_id: str, services: Services) -> list[int] | None:
    if "if-match" not in request.headers:
        return None
    stored = await services.documents.get(document_id)
    return expected_versions(request.headers, stored.document.checksum if stored else None)


@router.patch("/documents/{document_id}", responses=problems(403, 404, 412, 413, 422), openapi_extra=_IF_MATCH)
async def patch(
    document_id: str, changes: DocumentPatch, request: Request, response: Response, services: ServicesOf
) -> Document:
    """Changes what the body names."""
    named = changes.model_fields_set
    if not named:
        raise HTTPException(422, "Name what to change: tags, description")
    try:
        stored = await services.documents.patch(
            document_id,
            tags=list(changes.tags or []) if "tags" in named else None,
            description=changes.description,
            clear_description="description" in named and changes.description is None,
            versions=await _expected(request, document_id, services),
        )
    except VersionConflict as error:
        raise _conflict(error) from error
    if stored is None:
        raise _not_found(document_id)
    if stored.wants_job:
        await services.tag_jobs.request()
    response.headers.update(version_tag(stored.version))
    return stored.document


@router.delete("/documents/{document_id}", responses=problems(403, 404, 412), openapi_extra=_IF_MATCH)
async def delete(document_id: str, request: Request, services: ServicesOf) -> Deleted:
    """Removes a document and its bytes."""
    try:
        wants_job = await services.documents.delete(
            document_id, versions=await _expected(request, document_id, services)
        )
    except VersionConflict as error:
        raise _conflict(error) from error
    if wants_job is None:
        raise _not_found(document_id)
    if wants_job:
        await services.tag_jobs.request()
    try:
        await services.blobs.delete(document_id)
    except BlobStoreFailed:
        # The document is gone already; bytes that belong to none are removed by a worker.
        logger.warning("the bytes of deleted document %s are removed later", document_id, exc_info=True)
    return Deleted(message="Document deleted successfully", document_id=document_id)
