"""Headers of every reply, whatever made it: nothing is kept, framed, sniffed or loaded."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
SAFE = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def safe_headers(hsts_seconds: int = 0) -> list[tuple[bytes, bytes]]:
    """The headers; `hsts_seconds` > 0: insist on https so long."""
    told = dict(SAFE)
    if hsts_seconds:
        told["strict-transport-security"] = f"max-age={hsts_seconds}; includeSubDomains"
    return [(name.encode(), value.encode()) for name, value in told.items()]


class SafeHeaders:
    """Adds those that the reply does not say itself."""

    def __init__(self, app: ASGIApp, hsts_seconds: int = 0) -> None:
        self.app = app
        self._told = safe_headers(hsts_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = list(message.get("headers", ()))
                names = {name.lower() for name, _ in said}
                said += [pair for pair in self._told if pair[0] not in names]
                message = {**message, "headers": said}
            await send(message)

        await self.app(scope, receive, with_headers)
