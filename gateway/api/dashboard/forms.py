"""The pages' forms: who may send one, its token, its fields and its cookies."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.admin_sessions import form_token
from gateway.api.auth import Principal, cookie_in, is_same_origin
from gateway.api.body import read_body
from gateway.errors import Forbidden, InvalidRequest

FORM_COOKIE = "gateway_form"  # its value, or its digest, is also in the form, which no other site can read or set
FORM_BYTES = 8192
MAX_FIELDS = 12
NONCE_SECONDS = 12 * 3600
_FORM = "application/x-www-form-urlencoded"
_NONCE = re.compile(r"[A-Za-z0-9_-]{43}")


def nonce_of(request: Request) -> str | None:
    """The value of the form's cookie, where this gateway made it."""
    nonce = cookie_in(request.scope["headers"], FORM_COOKIE)
    return nonce if nonce is not None and _NONCE.fullmatch(nonce) else None


def new_nonce() -> str:
    return secrets.token_urlsafe(32)


def page_token(request: Request) -> tuple[str, str | None]:
    """The token for the forms of a page, and the nonce to set as its cookie: None where the session or a cookie is there already."""
    session = _session_of(request)
    if session is not None:
        return form_token(session), None
    nonce = nonce_of(request)
    fresh = None if nonce is not None else new_nonce()
    return form_token(nonce or fresh or ""), fresh


async def checked_fields(request: Request) -> Mapping[str, str]:
    """The fields of a form that one of this browser's pages sent. Raises Forbidden, InvalidRequest."""
    fields = await form_fields(request)
    secret = _session_of(request) or nonce_of(request)
    if secret is None or not hmac.compare_digest(form_token(secret), fields.get("form_token", "")):
        raise Forbidden("The form is out of date. Reload the page and try again.")
    return fields


async def form_fields(request: Request) -> dict[str, str]:
    """The form's fields. Raises Forbidden for a page of another origin, InvalidRequest when the body is not that form."""
    headers = request.scope["headers"]
    if not is_same_origin(headers):
        raise Forbidden(
            "The form was sent from a page of another origin. A reverse proxy has to pass the Host header on as the browser sent it."
        )
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise InvalidRequest(f"This route takes a form, {_FORM}.")
    body = await read_body(dict(headers), request.receive, limit=FORM_BYTES)
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:  # UnicodeDecodeError is one
        raise InvalidRequest("The form cannot be read.") from None
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def set_cookie(response: Response, request: Request, name: str, value: str, *, seconds: int) -> None:
    """Not for scripts and other sites; over HTTPS only, where the page came that way (a proxy speaks it, the gateway does not)."""
    secure = request.headers.get("origin", "").startswith("https://") or (
        request.headers.get("x-forwarded-proto", "").strip().lower() == "https"
    )
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict")


def _session_of(request: Request) -> str | None:
    principal: Principal = request.scope["principal"]
    return principal.session
