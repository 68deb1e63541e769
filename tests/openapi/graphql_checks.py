"""What schemathesis does besides its own for our GraphQL endpoints: it loads this file by
`SCHEMATHESIS_HOOKS`."""

import json
from collections import Counter
from pathlib import Path

import graphql
import schemathesis
from hypothesis import strategies as st

# What `docs/management.md` lists.
CLASSIFICATIONS = {
    line.split("`")[1]
    for line in (Path(__file__).resolve().parents[2] / "docs" / "management.md")
    .read_text(encoding="utf-8")
    .partition("<!-- classifications -->")[2]
    .partition("<!-- /classifications -->")[0]
    .splitlines()
    if line.startswith("| `") and not line.startswith("| `extensions")
}
# Whether anything gets past validation is told at the end.
SEEN = Path("seen.json")



def objects():
    """Literals of objects: schemathesis knows no such scalar."""
    names = st.text("abcXYZ_", min_size=1, max_size=8)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    leaf = st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31 - 1), text).map(json.dumps)
    value = st.recursive(leaf, lambda value: st.one_of(listed(value), members(names, value)), max_leaves=8)
    return members(names, value).map(graphql.parse_value)


def listed(value):
    return st.lists(value, max_size=3).map(lambda items: f"[{', '.join(items)}]")


def members(names, value):
    pairs = st.dictionaries(names, value, max_size=3)
    return pairs.map(lambda found: "{" + ", ".join(f"{name}: {it}" for name, it in found.items()) + "}")


schemathesis.graphql.scalar("Object", objects())


@schemathesis.check
class NoServerError:
    """No answer is a failure of the server, and every error has a documented class."""

    def __init__(self):
        self.seen = {}

    def after_response(self, ctx, response, case):
        assert response.status_code < 500, response.text
        body = response.json()
        assert isinstance(body, dict) and ("data" in body or body.get("errors")), response.text
        found = {error["extensions"]["classification"] for error in body.get("errors", [])}
        assert found <= CLASSIFICATIONS - {"internal-error"}, response.text
        kinds = self.seen.setdefault(case.operation.label, Counter())
        kinds.update(found or {"answered"})

    def after_run(self, ctx):
        SEEN.write_text(json.dumps(self.seen), encoding="utf-8")
