from pathlib import Path

import pytest

from agent_bus.settings import Settings
from api.addresses import base_url, public_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://localhost:1"),
        ("::1", "http://localhost:1"),
        ("0.0.0.0", "http://localhost:1"),  # noqa: S104 - nothing is bound here
        ("::", "http://localhost:1"),
        ("192.0.2.1", "http://192.0.2.1:1"),
        ("2001:db8::1", "http://[2001:db8::1]:1"),
    ],
)
def test_an_address_is_one_that_works_from_this_machine(host: str, url: str) -> None:
    assert base_url(host, 1) == url


def test_documents_addresses_follow_the_port_unless_they_are_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCUMENT_SERVER_PUBLIC_URL", raising=False)
    assert public_url(Settings(project_dir=tmp_path), "127.0.0.1", 9000) == "http://localhost:9000"
    monkeypatch.setenv("DOCUMENT_SERVER_PUBLIC_URL", "https://documents.example/")
    assert public_url(Settings(project_dir=tmp_path), "127.0.0.1", 9000) == "https://documents.example"
