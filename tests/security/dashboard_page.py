"""The page, and what else is opened in a browser at the servers' addresses: only our own scripts, in nobody's frame."""

import re

from tests.processes import REPOSITORY
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System

GROUP: Attacks = {}
STATIC = REPOSITORY / "api" / "static"


def policy_of(text: str | None) -> dict[str, list[str]]:
    """A Content-Security-Policy's directives."""
    parts = [part.split() for part in (text or "").split(";") if part.strip()]
    return {name: sources for name, *sources in parts}


@into(GROUP, "script-in-page", "a script that is not ours, on a page that the servers serve")
def script_in_page(system: System, tries: Tries) -> None:
    for server in (system.coordinator, system.documents, system.guarded, system.guarded_documents):
        for path in ("/", "/docs"):
            answer = system.client.get(server.url + path)
            if "html" not in answer.headers["content-type"]:
                continue
            policy = policy_of(answer.headers.get("content-security-policy"))
            what = f"{path} of {server.port}"
            scripts = policy.get("script-src", policy.get("default-src", ["*"]))
            tries.harmless(what, "scripts of its own files only", held=scripts in (["'self'"], ["'none'"]))
            for name in ("default-src", "base-uri", "form-action", "frame-ancestors"):
                tries.harmless(what, f"{name} 'none'", held=policy.get(name) == ["'none'"])
            for name in ("object-src", "frame-src", "child-src", "style-src", "img-src", "connect-src"):
                loose = {"*", "'unsafe-inline'", "'unsafe-eval'", "http:", "https:"} & set(policy.get(name, []))
                tries.harmless(what, f"no loose {name}", held=not loose)
            inline = [tag for tag in re.findall(r"<script\b[^>]*>", answer.text) if "src=" not in tag]
            handlers = re.findall(r"<[^>]+\son\w+=", answer.text)
            tries.harmless(
                what, "no script in its text", held=not inline and not handlers and "javascript:" not in answer.text
            )
            foreign = re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""", answer.text)
            tries.harmless(what, "nothing from elsewhere", held=not foreign)
            tries.harmless(what, "nosniff", held=answer.headers.get("x-content-type-options") == "nosniff")
            tries.harmless(what, "no referrer", held=answer.headers.get("referrer-policy") == "no-referrer")
    first, second = (system.client.get(f"{system.coordinator.url}/").headers for _ in range(2))
    nonces = [re.findall(r"'nonce-([^']{20,})'", headers["content-security-policy"]) for headers in (first, second)]
    tries.harmless("a nonce seen before", "another each time", held=bool(nonces[0]) and nonces[0] != nonces[1])
    for file in STATIC.rglob("*.js"):
        dynamic = re.search(r"\bnew Function\(|[^.\w]eval\(", file.read_text("utf-8"))
        tries.harmless(file.name, "no eval", held=dynamic is None)
    page = system.client.get(f"{system.coordinator.url}/")
    asset = re.search(r'src="\./(assets/[^"]+)"', page.text)
    if asset:
        found = system.client.get(f"{system.coordinator.url}/{asset[1]}")
        tries.control(
            "its own script is there", works=found.is_success and "javascript" in found.headers["content-type"]
        )
    else:
        tries.control("the page says that it is not built", works=page.status_code == 404)
