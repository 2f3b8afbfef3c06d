"""The quick way of `GET /console/queue`, before the application and all that is around it.

It is the page that is asked for most. The application around a page (looking the route up, checking
parameters, a dozen calls around) costs as much as the page does. Here the usual request is
answered, by the same rule and with the same text; whatever else it meets, a refusal or an error
too, it hands on whole to the application. A ranking that has to be made again first is made there.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from base.bilingual import Language
from base.errors import CluesError
from serving.access import visitor_of
from serving.console.page import HEADERS
from serving.console.work_list import Asked, queue_text
from serving.headers import safe_headers
from serving.watched import Answered, new_request_id

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = structlog.get_logger()
PATH, ROUTE = "/console/queue", "GET /console/queue"
# A few wait for the database at once; what the processor does it does one page after the other.
THREADS = 4
LANGUAGES: dict[str, Language] = {"zh": "zh", "en": "en"}
# Parameters that are texts, and their lengths at most (serving/console/pages.py).
TEXTS = {"view": 64, "office": 64, "function": 64, "model": 200, "cursor": 400}
START_DIGITS = 6


class QuickQueue:
    """ASGI: answers what is usual, hands on the rest to `app`, which is around `application`."""

    def __init__(
        self, app: ASGIApp, application: FastAPI, hsts_seconds: int, tracer: Tracer | None = None
    ) -> None:
        self.app, self._application = app, application
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="queue")
        self._answered = Answered(PATH, "GET", tracer)
        told = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        told += [pair for pair in safe_headers(hsts_seconds) if pair[0].decode() not in HEADERS]
        self._headers = [*told, (b"content-type", b"text/html; charset=utf-8")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        scope.setdefault("state", {})
        loop = asyncio.get_running_loop()
        page = await loop.run_in_executor(self._threads, self._page, scope)
        if page is None:
            await self.app(scope, receive, send)
            return
        request_id = new_request_id()
        own = ((b"content-length", str(len(page)).encode()), (b"x-request-id", request_id.encode()))
        await send(
            {"type": "http.response.start", "status": 200, "headers": [*self._headers, *own]}
        )
        await send({"type": "http.response.body", "body": page})
        self._answered.note(perf_counter() - began, request_id)

    def _page(self, scope: Scope) -> bytes | None:
        request = Request({**scope, "app": self._application})
        asked = recognised(request)
        if asked is None:
            return None
        try:
            who = visitor_of(request, ROUTE)
            return queue_text(request, who, *asked, at_once=True).encode()
        except CluesError:
            return None
        except Exception as error:  # the whole way may manage, and answers for it if not
            log.warning("quick_way_failed", kind=type(error).__name__)
            return None


def recognised(request: Request) -> tuple[Asked, Language] | None:
    """What is asked for, where every parameter is known, fit and told once."""
    given = request.query_params.multi_items()
    values = dict(given)
    language = LANGUAGES.get(values.pop("language", "zh"))
    start = values.pop("start", "0")
    fit = (
        len({name for name, _ in given}) == len(given)
        and language is not None
        and start.isascii()
        and start.isdigit()
        and len(start) <= START_DIGITS
        and all(len(value) <= TEXTS.get(name, -1) for name, value in values.items())
    )
    return (Asked(**values, start=int(start)), language) if fit and language else None
