"""Where the built dashboard lies: in the package, so that a wheel brings it along; not in the source's history."""

from pathlib import Path

STATIC = Path(__file__).resolve().parent / "static"
PAGE = "index.html"


def is_built() -> bool:
    """Whether there is a dashboard to serve."""
    return (STATIC / PAGE).is_file()
