"""Every response of the API that a test sees is in the OpenAPI document."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from jsonschema import Draft202012Validator

JSON = "application/json"


class Responses:
    """Collects what the document does not say of the responses that were served."""

    def __init__(self) -> None:
        self.undocumented: list[str] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at every response that Django makes, to test clients and over HTTP."""
        get_response = BaseHandler.get_response

        def watch(handler: BaseHandler, request: HttpRequest) -> HttpResponseBase:
            response = get_response(handler, request)
            if problem := problem_of(request, response):
                self.undocumented.append(problem)
            return response

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseHandler, "get_response", watch)
            yield


def problem_of(request: HttpRequest, response: HttpResponseBase) -> str:
    """Return what is not documented of the response, "" if all is.

    Paths and methods that are no operation are left alone: they are 404, 405, OPTIONS.
    """
    method = "get" if request.method == "HEAD" else str(request.method).lower()
    documented = operation_at(request.path, method)
    if documented is None or 300 <= response.status_code < 400:
        return ""
    served = f"{method} {request.path}: {response.status_code}"
    known = documented["responses"].get(str(response.status_code))
    if known is None:
        return served
    if request.method == "HEAD":
        return ""
    body = json.loads(getattr(response, "content", b""))
    if response.status_code >= 400 and body["code"] not in codes_of(known):
        return f"{served} {body['code']}"
    schema = known["content"][JSON]["schema"] | {"components": document()["components"]}
    error = next(Draft202012Validator(schema).iter_errors(body), None)
    return f"{served}: {error.json_path} {error.message}" if error else ""


def codes_of(response: dict[str, Any]) -> list[str]:
    """Return the codes of an error that the document lists."""
    return re.split(", |: ", response["description"])[1:]


@cache
def document() -> dict[str, Any]:
    text = (settings.BASE_DIR / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    parsed: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return parsed


def operation_at(path: str, method: str) -> dict[str, Any] | None:
    """Return the operation of the document, if there is one."""
    for template, methods in document()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template) + "/?", path):
            found: dict[str, Any] | None = methods.get(method)
            return found
    return None
