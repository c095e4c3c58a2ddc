"""Waiting for the end of a process that is not our child, and learning how it ended where the kernel tells."""

import asyncio
import contextlib
import fcntl
import os
import struct

from agent_bridge.process_table import ProcessIdentity, identify, look_up

# ioctl(2) on a pidfd, from linux/pidfd.h: PIDFD_GET_INFO = _IOWR(0xFF, 11, struct pidfd_info), since Linux 6.13. How
# the process ended, since 6.15, is asked for and answered by a bit of the mask.
_INFO = struct.Struct("QQ11Ii")
_GET_INFO = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11
_WITH_EXIT = 1 << 3
# How often one looks, in seconds, where the end is not told.
POLL_SECONDS = 0.2


class ProcessEnd:
    """The end of one process. Use as a context manager: it may hold a descriptor."""

    def __init__(self, process: ProcessIdentity) -> None:
        self._process = process
        self._handle: int | None = None
        if hasattr(os, "pidfd_open"):
            # Gone already, or a kernel or a sandbox without the call: then one looks.
            with contextlib.suppress(OSError):
                self._handle = os.pidfd_open(process.pid)
        if self._handle is not None and identify(process.pid) != process:
            # The number was another's by then, or is nobody's: nothing says that it was ours when we opened it.
            self._close()

    def __enter__(self) -> "ProcessEnd":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_there(self) -> bool:
        row = look_up(self._process.pid)
        return row is not None and row.identity == self._process and not row.dead

    async def wait(self) -> None:
        """Returns when the process has ended."""
        if self._handle is None:
            while self._is_there():  # noqa: ASYNC110  nobody tells us
                await asyncio.sleep(POLL_SECONDS)
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._handle)

    def code(self) -> int | None:
        """The exit code of a process that has ended, -n if it died of signal n; None where the kernel does not tell."""
        row = look_up(self._process.pid)
        if row is not None and row.identity == self._process and row.wait_status is not None:
            # Nobody has reaped it yet; the pidfd tells only afterwards.
            return os.waitstatus_to_exitcode(row.wait_status)
        if self._handle is None:
            return None
        question = bytearray(_INFO.pack(_WITH_EXIT, *[0] * 12, 0))
        try:
            fcntl.ioctl(self._handle, _GET_INFO, question)
        except OSError:
            return None
        mask, *_, status = _INFO.unpack(question)
        return os.waitstatus_to_exitcode(status) if mask & _WITH_EXIT else None
