"""Bodies of 1 MiB that are expensive to validate, made from the OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from killthenoise.api.parsers import MAX_BODY_BYTES
from killthenoise.tests.documented import document
from killthenoise.tests.operations import OPERATIONS

Schema = Mapping[str, Any]
SIZE = MAX_BODY_BYTES - 1024
"""Bytes of a hostile value; the rest of the body is valid."""


def repeat(text: str, size: int = SIZE) -> str:
    return text * (size // len(text.encode()))


def fill(start: str, items: Iterator[str], end: str) -> str:
    """Return JSON with as many of the items as fit."""
    size, parts = 0, []
    for item in items:
        size += len(item.encode()) + 1
        if size > SIZE:
            break
        parts.append(item)
    return start + ",".join(parts) + end


def nest(start: str, end: str, depth: int) -> str:
    return start * depth + "0" + end * depth


VALUES = {
    "zeros": "[" + repeat("0,") + "0]",
    "empty objects": "[" + repeat("{},") + "{}]",
    "empty lists": "[" + repeat("[],") + "[]]",
    "infinite numbers": "[" + repeat("1e999,") + "0]",
    "many keys": fill("{", (f'"k{n}":0' for n in count()), "}"),
    "many numbers as keys": fill("{", (f'"{n}":"P{n}"' for n in count()), "}"),
    "many short texts": fill("[", (f'"a{n}"' for n in count()), "]"),
    "a duplicate key": "{" + repeat('"a":0,') + '"a":0}',
    "a long key": '{"' + repeat("k") + '":0}',
    "long keys": fill("{", (f'"{n}{"k" * 9000}":0' for n in count()), "}"),
    "nested lists": nest("[", "]", SIZE // 2),
    "nested objects": nest('{"a":', "}", SIZE // 6),
    **{f"{n} nested lists": nest("[", "]", n) for n in (300, 900, 950, 980)},
    "200 nested objects": nest('{"a":', "}", 200),
    "a long number": repeat("9"),
    "the longest number": repeat("9", 4300),
    "a long fraction": "0." + repeat("1"),
    "a long text": '"' + repeat("x") + '"',
    "a text of spaces": '"' + repeat(" ") + '"',
    "a text of line breaks": '"' + repeat("\\r\\n a") + '"',
    "a text of invisible characters": '"' + repeat("\u200b\u00ad") + '"',
    "a text of NUL escapes": '"' + repeat("\\u0000") + '"',
    "a text of lone surrogates": '"' + repeat("\\ud83d") + '"',
    "a text of emoji escapes": '"' + repeat("\\ud83d\\ude00") + '"',
    "a text of markup": '"' + repeat("<b>*[`> ") + '"',
}


def hostile_bodies(operation_id: str) -> Iterator[tuple[str, str]]:
    """Yield bodies and their names: each value in each place of the valid body."""
    valid = OPERATIONS[operation_id].body
    schema = _body_schema(operation_id)
    for name, value in VALUES.items():
        yield f"{name} as body", value
    for path, place in {("unknown",): {}, **dict(_places(schema, ()))}.items():
        for name, value in {**VALUES, **_valid_items(place)}.items():
            yield f"{name} in {'.'.join(path)}", _put(valid, path, value)


def _body_schema(operation_id: str) -> Schema:
    operations = [
        operation
        for methods in document()["paths"].values()
        for operation in methods.values()
    ]
    found = next(one for one in operations if one["operationId"] == operation_id)
    schema: Schema = found["requestBody"]["content"]["application/json"]["schema"]
    return _resolve(schema)


def _resolve(schema: Schema) -> Schema:
    """Follow a reference to a component."""
    for one in (schema, *schema.get("allOf", ())):
        if "$ref" in one:
            name = one["$ref"].rpartition("/")[2]
            found: Schema = document()["components"]["schemas"][name]
            return found
    return schema


def _places(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[Any, Schema]]:
    """Yield the path and the schema of each property, nested ones included."""
    for name, part in schema.get("properties", {}).items():
        resolved = _resolve(part)
        yield (*path, name), resolved
        yield from _places(resolved, (*path, name))


def _valid_items(place: Schema) -> dict[str, str]:
    """Return a list of as many valid items as fit, if the place takes a list."""
    if place.get("type") != "array":
        return {}
    required = _resolve(place["items"]).get("required")
    items = (
        json.dumps(dict.fromkeys(required, f"a{n}") if required else f"a{n}")
        for n in count()
    )
    longest = place.get("maxItems", 10**9)
    few = (item for item, _ in zip(items, range(longest), strict=False))
    return {"valid items": fill("[", few, "]")}


def _put(body: Mapping[str, Any], path: tuple[str, ...], value: str) -> str:
    """Return the body as JSON, with the value at the path."""
    name, *rest = path
    inner = _put(body.get(name) or {}, tuple(rest), value) if rest else value
    others = {key: one for key, one in body.items() if key != name}
    parts = [f"{json.dumps(key)}:{json.dumps(one)}" for key, one in others.items()]
    return "{" + ",".join([*parts, f"{json.dumps(name)}:{inner}"]) + "}"
