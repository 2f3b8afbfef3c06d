"""Forms of the console: sent from a page of ours by the visitor it was made for, or refused.

Two walls beside the SameSite cookie. The browser says which site a form comes from; and every form
of a signed-in visitor carries a token that is made of his cookie, which no other site can read.
Nothing is kept of it: any worker knows the token again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from base.errors import NotAllowed
from serving.access import COOKIE
from serving.bounds import read_body
from serving.refusals import UnfitMessage

FORM_BYTES, FIELDS = 65_536, 40
TOKEN = "token"  # noqa: S105 - the name of a field
PURPOSE = b"a form of the console"


class ForeignForm(NotAllowed):
    """A form that another site's page sent."""


def form_token(request: Request) -> str:
    """The token of the visitor's forms; empty where nobody is signed in."""
    cookie = request.cookies.get(COOKIE, "")
    return hmac.new(cookie.encode(), PURPOSE, hashlib.sha256).hexdigest() if cookie else ""


def require_own_origin(request: Request) -> None:
    """Raises ForeignForm where the browser says that another site's page sent this.

    `Sec-Fetch-Site` is believed where it stands: no page can set it. Browsers send it to https and
    to this machine only; elsewhere `Origin` must name the host that was asked.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site == "same-origin"
    else:
        own = origin is None or _host(origin) == request.headers.get("host")
    if not own:
        raise ForeignForm(
            wanted="a form of this console",
            got="one that another site sent",
            cure="open the page here and fill it in",
        )


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


async def read_form(
    request: Request, limit: int = FORM_BYTES, fields: int = FIELDS
) -> dict[str, str]:
    """The fields of a form, lines ended by LF. Raises ForeignForm, TooLarge, UnfitMessage."""
    require_own_origin(request)
    body = await read_body(request, limit)
    try:
        text = body.decode("utf-8")
        found = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=fields)
    except ValueError:
        raise UnfitMessage(
            wanted="the fields of a form in UTF-8", got="another body", cure="fill the form in"
        ) from None
    return {name: values[0].replace("\r\n", "\n") for name, values in found.items()}


def require_token(request: Request, fields: Mapping[str, str]) -> None:
    """Raises UnfitMessage for a form that was not made for this visitor."""
    given = fields.get(TOKEN, "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, form_token(request).encode()):
        raise UnfitMessage(
            wanted="a form made for you",
            got="one of an earlier or another visit",
            cure="open the page again",
            where=TOKEN,
        )
