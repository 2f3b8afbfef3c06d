"""Bounds: how much one request may carry, and how long it may take to say it."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from serving.refusals import TooLarge, UnfitMessage

BODY_BYTES = 1_000_000
# What brings many things at once: new clues, outcomes.
BATCH_BYTES = 16_000_000
CLUES_PER_REQUEST = 1_000
BODY_SECONDS = 30.0


async def read_body(request: Request, limit: int = BODY_BYTES) -> bytes:
    """The body, read only as far as the bound. Raises TooLarge, or UnfitMessage if it stalls."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except (TimeoutError, ClientDisconnect):
        raise UnfitMessage(
            wanted=f"the whole body within {BODY_SECONDS:g} s", got="a part", cure="send it again"
        ) from None
    return bytes(body)


def require_few(count: int) -> None:
    """Raises TooLarge for more clues than one request may carry."""
    if count > CLUES_PER_REQUEST:
        raise TooLarge(
            wanted=f"at most {CLUES_PER_REQUEST} clues",
            got="more",
            cure="send several requests",
        )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        wanted=f"a body of at most {limit:,} bytes", got="a larger one", cure="send less at once"
    )
