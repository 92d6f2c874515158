"""A plan goes through JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from strategies import plans

from mockserver.errors import ScriptError
from mockserver.plan import Body, Close, Head, Plan, Raw, Repeat, Stall, Wait
from mockserver.plan_json import plan_from_json, plan_to_json


@given(plans)
def test_every_plan_goes_through_json(plan: Plan) -> None:
    """`plan_from_json(json) == plan`, through real JSON text."""
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_the_shape_is_the_agreed_one() -> None:
    """Word for word: journals and bundles are read by others."""
    plan = Plan(
        (
            Wait(0.5),
            Head(200, ((b"A", b"b"),), b"Fine"),
            Body("é".encode(), "role"),
            Raw(b"\xff"),
            Repeat((Body(b"x"),), 2),
        ),
        Stall(None),
    )
    assert plan_to_json(plan) == {
        "steps": [
            {"wait": 0.5},
            {"head": 200, "headers": [["A", "b"]], "reason": "Fine"},
            {"body": "é", "mark": "role"},
            {"raw": {"base64": "/w=="}},
            {"repeat": [{"body": "x"}], "times": 2},
        ],
        "ending": {"stall": None},
    }
    assert plan_to_json(Plan((), Close("half"))) == {"steps": [], "ending": {"close": "half"}}
    assert plan_from_json({"steps": []}) == Plan(())


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (3, "$"),
        ({"ending": {"end": True}}, "$"),
        ({"steps": [], "more": 1}, "$"),
        ({"steps": {}}, "$.steps"),
        ({"steps": [{}]}, "$.steps[0]"),
        ({"steps": [{"body": "a", "raw": "b"}]}, "$.steps[0]"),
        ({"steps": [{"body": "a", "times": 1}]}, "$.steps[0]"),
        ({"steps": [{"body": 1}]}, "$.steps[0].body"),
        ({"steps": [{"body": "a", "mark": 1}]}, "$.steps[0].mark"),
        ({"steps": [{"raw": {"base64": "?"}}]}, "$.steps[0].raw.base64"),
        ({"steps": [{"wait": -1}]}, "$.steps[0].wait"),
        ({"steps": [{"head": "200"}]}, "$.steps[0].head"),
        ({"steps": [{"head": 200, "headers": [["a"]]}]}, "$.steps[0].headers"),
        ({"steps": [{"repeat": [{"wait": "x"}]}]}, "$.steps[0].repeat[0].wait"),
        ({"steps": [{"repeat": [], "times": -1}]}, "$.steps[0].times"),
        ({"steps": [], "ending": {"close": "rts"}}, "$.ending"),
        ({"steps": [], "ending": {"end": True, "close": "fin"}}, "$.ending"),
        ({"steps": [], "ending": {"stall": -1}}, "$.ending.stall"),
    ],
)
def test_what_is_no_plan_is_refused(value: Any, path: str) -> None:
    """With the path of what is wrong."""
    with pytest.raises(ScriptError) as caught:
        plan_from_json(value)
    assert caught.value.path == path
