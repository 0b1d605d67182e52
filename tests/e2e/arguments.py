"""Arguments that fit a JSON Schema, the same ones each time: made from the schema and a seed alone.

    Maker(schema, "stripe.PostCustomers").make()  ->  {"email": "ana@acme.com", "metadata": {"k": "v"}}

It knows what descriptions of APIs use, prefers the first alternative, and gives a share of the optional
members. Whether what it made fits is for a validator to say. Must not know: any API.
"""

import random
import re

FORMATS = {
    "date-time": "2026-06-16T15:14:22Z", "date": "2026-06-16", "time": "15:14:22Z", "email": "ana@acme.com",
    "uuid": "5a1bd2c9-4a4b-4c55-9d2a-0c1f1d6f7a11", "uri": "https://example.com/a", "url": "https://example.com/a",
    "hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "byte": "AAE=", "phone-number": "+15005550006",
    "iri": "https://example.com/a", "uri-reference": "/a", "duration": "P1D", "regex": "a",
}
DEPTH_MAX = 6  # LIMIT: cyclic schemas end here: only what is required goes deeper.


class Maker:
    """Makes one value of a schema."""

    def __init__(self, schema, seed):
        self.root = schema
        self.random = random.Random(seed)

    def make(self, share=0.5):
        """The arguments, with this share of the optional ones."""
        self.optional = share
        return self.value(self.root, 0)

    def value(self, schema, depth):
        schema = self.flat(schema)
        if schema is True or schema == {}:
            return "any"
        for key in ("const", "default"):
            if key in schema and schema[key] not in (None, "", [], {}):
                return schema[key]
        if schema.get("enum"):
            return next(one for one in schema["enum"] if one not in (None, "")) if any(one not in (None, "") for one in schema["enum"]) else schema["enum"][0]
        return getattr(self, kind(schema))(schema, depth)

    def flat(self, schema):
        """The schema with references followed, `allOf` put together and the first alternative taken."""
        if not isinstance(schema, dict):
            return schema
        schema = dict(schema)
        for _ in range(64):
            if "$ref" in schema:
                target = self.root
                for part in schema.pop("$ref").removeprefix("#/").split("/"):
                    target = target[part.replace("~1", "/").replace("~0", "~").replace("%25", "%")]
                schema = joined(schema, target)
            elif schema.get("allOf"):
                for part in schema.pop("allOf"):
                    schema = joined(schema, self.flat(part))
            elif schema.get("oneOf") or schema.get("anyOf"):
                parts = schema.pop("oneOf", None) or schema.pop("anyOf")
                schema = joined(schema, self.flat(next((one for one in parts if one != {"type": "null"}), parts[0])))
            else:
                break
        return schema

    def object(self, schema, depth):
        if "base64" in schema.get("properties", {}):
            return {"base64": "AAE=", "name": "a.pdf", "type": "application/pdf"}
        made = {}
        required = set(schema.get("required", ()))
        for name, member in schema.get("properties", {}).items():
            if name in required or (depth < DEPTH_MAX and self.random.random() < self.optional / (depth + 1)):
                made[name] = self.value(member, depth + 1)
        extra = schema.get("additionalProperties", True)
        wanted = schema.get("minProperties", 0 if schema.get("properties") or depth == 0 else 1)
        while extra is not False and len(made) < wanted:
            made[f"k{len(made)}"] = "v" if extra is True else self.value(extra, depth + 1)
        if not made and depth > 0 and schema.get("properties"):
            # An empty object has no form in many places: give the first member.
            name, member = next(iter(schema["properties"].items()))
            made[name] = self.value(member, depth + 1)
        return made

    def array(self, schema, depth):
        count = max(1, schema.get("minItems", 1))
        if schema.get("uniqueItems") and count > 1:
            items = self.flat(schema.get("items", {}))
            return items["enum"][:count] if "enum" in items else [f"a{number}" for number in range(count)]
        return [self.value(schema.get("items", {}), depth + 1) for _ in range(count)]

    def string(self, schema, _depth):
        if "pattern" in schema:
            text = matching(schema["pattern"])
            if text is not None and schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 1 << 20):
                return text
        text = FORMATS.get(schema.get("format"), "text")
        text += "x" * (schema.get("minLength", 0) - len(text))
        return text[: schema.get("maxLength", len(text))]

    def integer(self, schema, _depth):
        return int(self.number(schema, _depth))

    def number(self, schema, _depth):
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(schema.get("exclusiveMinimum"), (int, float)):
            low = schema["exclusiveMinimum"] + 1
        step = schema.get("multipleOf", 1)
        value = low if low is not None else (high if high is not None and high < 1 else 1)
        return value if isinstance(value, int) and value % step == 0 else max(step, value)

    def boolean(self, _schema, _depth):
        return True

    def null(self, _schema, _depth):
        return None


def kind(schema):
    """The type that a value of it has."""
    types = schema.get("type")
    if isinstance(types, list):
        types = next((one for one in types if one != "null"), "null")
    if types:
        return types
    if "properties" in schema or "additionalProperties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def joined(one, other):
    """Both schemas at once, as far as `allOf` in descriptions goes."""
    if not isinstance(other, dict):
        return one
    made = {**other, **one}
    for key in ("properties",):
        if key in one and key in other:
            made[key] = {**other[key], **one[key]}
    if "required" in one and "required" in other:
        made["required"] = sorted(set(one["required"]) | set(other["required"]))
    return made


def matching(pattern):
    """A text that matches, for patterns of classes and counts; none for others."""
    try:
        parsed = re._parser.parse(pattern)
        text = "".join(of(*part) for part in parsed)
        return text if re.search(pattern, text) else None
    except (re.error, NotImplementedError, TypeError):
        return None


def of(code, detail):
    code = str(code)
    if code == "LITERAL":
        return chr(detail)
    if code in ("AT", "ASSERT", "ASSERT_NOT"):
        return ""
    if code == "ANY":
        return "a"
    if code == "IN":
        return within(detail)
    if code in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, parts = detail
        count = low if low else min(1, high)
        return "".join(of(*part) for _ in range(count) for part in parts)
    if code == "SUBPATTERN":
        return "".join(of(*part) for part in detail[3])
    if code == "BRANCH":
        return "".join(of(*part) for part in detail[1][0])
    raise NotImplementedError(code)


def within(choices):
    if str(choices[0][0]) == "NEGATE":
        return next(c for c in "aA1-_ " if re.match("[^" + "".join(map(shown, choices[1:])) + "]", c))
    code, detail = choices[0]
    code = str(code)
    if code == "LITERAL":
        return chr(detail)
    if code == "RANGE":
        return chr(detail[0])
    return {"CATEGORY_DIGIT": "1", "CATEGORY_WORD": "a", "CATEGORY_SPACE": " "}[str(detail)]


def shown(choice):
    code, detail = str(choice[0]), choice[1]
    if code == "LITERAL":
        return re.escape(chr(detail))
    if code == "RANGE":
        return f"{re.escape(chr(detail[0]))}-{re.escape(chr(detail[1]))}"
    return {"CATEGORY_DIGIT": r"\d", "CATEGORY_WORD": r"\w", "CATEGORY_SPACE": r"\s"}[str(detail)]
