"""What one visitor may ask of the server: files, bytes, and time for a request to arrive."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import h11
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

FILES, FILES_A_SECOND = 300, 20  # at once, and from then on
BYTES, BYTES_A_SECOND = 300 * 2**20, 2**20
MOST_BYTES = 2**20  # of a request that uploads nothing
PATIENCE = 15  # seconds without a byte of a request that is not whole
LONGEST = 300  # seconds that a whole request may take to arrive
VISITORS = 10_000  # remembered

TOO_MUCH = "Too many uploads within a short time: please wait a minute and try again."


@dataclass(slots=True)
class Budget:
    """What is left to a visitor. It fills again with time."""

    files: float = FILES
    bytes: float = BYTES
    seen: float = field(default_factory=time.monotonic)

    def spend(self, files: int, size: int) -> bool:
        """Whether there was enough."""
        now = time.monotonic()
        self.files = min(FILES, self.files + (now - self.seen) * FILES_A_SECOND) - files
        self.bytes = min(BYTES, self.bytes + (now - self.seen) * BYTES_A_SECOND) - size
        self.seen = now
        enough = self.files >= 0 and self.bytes >= 0
        self.files, self.bytes = max(0, self.files), max(0, self.bytes)
        return enough


class Limits:
    """ASGI middleware that counts what each visitor's address sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._budgets: dict[str, Budget] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses with status 429 what is too much for now, with 413 what is too large."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        uploads = scope["path"].rstrip("/").endswith("/upload")
        budget = self._budget((scope.get("client") or ("",))[0])
        announced = int(dict(scope["headers"]).get(b"content-length") or 0)
        budget.spend(0, 0)  # fills it
        if uploads and (announced > budget.bytes or budget.files < 1):
            refusal = PlainTextResponse(TOO_MUCH, 429, {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            body = message.get("body", b"")
            size += len(body)
            if uploads and not budget.spend(body.count(b'filename="'), len(body)):
                raise HTTPException(429, TOO_MUCH)
            if not uploads and size > MOST_BYTES:
                raise HTTPException(413, f"A request may have {MOST_BYTES // 2**20} MB.")
            return message

        await self._app(scope, counted, send)

    def _budget(self, visitor: str) -> Budget:
        budget = self._budgets.pop(visitor, None) or Budget()
        self._budgets[visitor] = budget  # the one seen last comes last
        if len(self._budgets) > VISITORS:
            del self._budgets[next(iter(self._budgets))]
        return budget


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request does not arrive: uvicorn waits for ever."""

    _timer: asyncio.TimerHandle | None = None
    _begun = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is waited for from now on."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """A byte of a body prolongs the wait, up to a limit; one of a header does not."""
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._wait()
        elif state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        begun = self._begun if self._timer else self.loop.time()
        self._stop()
        self._begun = begun
        left = begun + LONGEST - self.loop.time()
        self._timer = self.loop.call_later(max(0, min(PATIENCE, left)), self._give_up)

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self.flow.read_paused:  # it is the server that is slow
            self._wait()
        else:
            self.transport.close()
