"""`python -m tests.fuzz.one NAME FOLDER SECONDS`: one harness in a process of its own, guided by what it reaches."""

import importlib
import sys
from pathlib import Path

# Installed by `make fuzz`, where there is a build of it; without types.
atheris = importlib.import_module("atheris")

with atheris.instrument_imports(include=["agent_bus", "api", "python_multipart", "tests.fuzz"]):
    from tests.fuzz.catalogue import HARNESSES

# One input: what takes longer than this for a few kilobytes is a finding.
TIMEOUT_SECONDS, MEMORY_MB, LONGEST = 10, 1024, 4096


def main() -> None:
    """Runs until the time is over, or until something is found; what was reached is kept in the folder."""
    name, path, seconds = sys.argv[1:]
    harness, folder = HARNESSES[name], Path(path)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(harness.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in harness.words)
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    options = [
        f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={TIMEOUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={folder}/", "-print_final_stats=1", *([f"-dict={words}"] if harness.words else ()),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], harness.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
