"""What the description of the API promises, tried by schemathesis on a real server.

LINEWISE_HTTP_CASES=10000 pytest -s tests/serve/test_schema.py asks so many cases, as many at each route that is asked
something, at random, and prints what it was answered.
"""

from __future__ import annotations

import base64
import io
import math
import os
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from linewise.serve.app import create_app
from linewise.serve.desk import Desk
from serving import Process

NAMES = ["lstm-0", "cnn-0", "unknown"]


def description() -> dict[str, Any]:
    """What the application says of itself; beside any text, names that are served, so that more than refusals come."""
    found = create_app(Desk({})).openapi()
    for path in found["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in ("model", "right", "wrong"):
                    parameter["schema"] = {"anyOf": [{"enum": NAMES}, parameter["schema"]]}
    for name in ("ReadRequest", "DuelRequest", "SaveRequest", "TaughtClass"):
        for key, value in found["components"]["schemas"][name]["properties"].items():
            text = value.get("items", value)
            if key in ("model", "models"):
                value |= {"items": {"enum": NAMES}} if "items" in value else {"enum": NAMES}
            elif key in ("image", "images"):
                text["format"] = "picture"
    return found


@st.composite
def pictures(draw: st.DrawFn, kind: str) -> bytes:
    """A real image, of any small size and mode; one in four is spoilt."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    file = io.BytesIO()
    Image.new(draw(st.sampled_from(["L", "RGB"])), (width, height), draw(st.integers(0, 255))).save(file, kind)
    content = file.getvalue()
    return content[: draw(st.integers(1, len(content)))] if draw(st.integers(0, 3)) == 0 else content


schemathesis.openapi.format("picture", pictures("PNG").map(lambda content: base64.b64encode(content).decode()))
schemathesis.openapi.media_type("image/png", pictures("PNG"))
schemathesis.openapi.media_type("image/jpeg", pictures("JPEG"))
schemathesis.openapi.media_type("application/octet-stream", pictures("BMP"))
schema = schemathesis.openapi.from_dict(description())
ASKING = sum(
    bool(found.ok().definition.raw.keys() & {"parameters", "requestBody"}) for found in schema.get_all_operations()
)
CASES = int(os.environ.get("LINEWISE_HTTP_CASES", "0"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection, unsupported_method,
]  # fmt: skip
# positive_data_acceptance is not among them: bytes that are no image, and rows of different lengths, fit the schema.


@pytest.fixture
def base_url(shared: Process) -> str:
    return f"http://127.0.0.1:{shared.port}"


@schema.parametrize()
@settings(
    max_examples=math.ceil(CASES / ASKING) if CASES else 25,
    deadline=None,
    derandomize=not CASES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_api_keeps_to_its_description(case: schemathesis.Case, base_url: str) -> None:
    case.call_and_validate(base_url=base_url, checks=CHECKS)


def test_no_answer_was_a_failure_of_the_server(base_url: str) -> None:
    metrics = httpx.get(f"{base_url}/metrics").text
    answers = Counter[str]()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == "linewise_requests_total" and sample.labels["route"] != "/ready":
                answers[sample.labels["code"]] += int(sample.value)
    print(f"\n{sum(answers.values()):,} answers: {dict(sorted(answers.items()))}")  # noqa: T201
    assert answers["200"] > 10
    assert sum(answers.values()) > CASES
    assert not [code for code in answers if code >= "500"]
