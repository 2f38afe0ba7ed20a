"""What the description of the API promises, tried by schemathesis on a real server.

LINEWISE_HTTP_CASES=10000 pytest -s tests/serve/test_schema.py asks longer, at random, and prints what it was answered.
"""

from __future__ import annotations

import os
from collections import Counter

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
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

schema = schemathesis.openapi.from_dict(create_app(Desk({})).openapi())
CASES = int(os.environ.get("LINEWISE_HTTP_CASES", "25"))
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
    max_examples=CASES,
    deadline=None,
    derandomize=CASES == 25,
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
    assert not [code for code in answers if code >= "500"]
