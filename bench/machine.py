"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from tests.processes import redis_binary

PACKAGES = ("fastapi", "hiredis", "httptools", "orjson", "pydantic", "redis", "uvicorn", "uvloop", "websockets")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe() -> dict[str, object]:
    """The processor, the system, and the versions of what takes part."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages * page_bytes / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "redis": os.popen(f"'{redis_binary()}' --version").read().strip(),  # noqa: S605 - a path of ours
        "packages": {name: version(name) for name in PACKAGES},
    }
