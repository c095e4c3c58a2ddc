from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from agent_bus.keys import Keys
from agent_bus.settings import Settings
from api.application import guard
from api.documents.app import create_documents_api
from tests.processes import RedisServer


@pytest.fixture
def settings(redis_server: RedisServer, keys: Keys, tmp_path: Path) -> Settings:
    return Settings(project_dir=tmp_path, namespace=keys.namespace, max_upload_bytes=100_000).with_redis(
        redis_server.url
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_documents_api(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(guard(app, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
