"""schemathesis against the management APIs over GraphQL, by the schema that each of them tells:
whatever it sends, no answer is a failure of the server, and every error has a documented class."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

import requests

from server import serve

HERE = Path(__file__).resolve().parent
SECRET = "a secret of more than twelve characters"
PEOPLE = ["ann", "bob", "eve"]
APPS = ["shop", "game"]
# Everything is allowed, to an app whose id is told nowhere, so that nothing that is sent ends its token.
TABLES = """
[credential_policy]
digits = 1

[passkeys]

[registration]
by = ["token"]

[management]
buckets = true

[management.scopes]
read = ["manage"]
write = ["manage"]
"""
# How often a text is one that is known, so that mutations find what they change.
KNOWN = f"""
[dictionaries.texts]
values = {json.dumps([*PEOPLE, *APPS, "ann@example.org", "+1 555 0100", "d-1", "p", "Password 1"])}
[dictionaries.people]
values = {json.dumps(PEOPLE)}
[dictionaries.apps]
values = {json.dumps(APPS)}
[dictionaries.none]
values = [""]
[dictionaries.sizes]
values = [1, 2, 1000]

[generation.dictionaries]
string = {{ dictionary = "texts", probability = 0.2 }}

[parameters]
"*.*.accountId" = {{ dictionary = "people", probability = 0.6 }}
"*.*.owner" = {{ dictionary = "people", probability = 0.6 }}
"*.*.input.accountId" = {{ dictionary = "people", probability = 0.6 }}
"*.*.input.owner" = {{ dictionary = "people", probability = 0.6 }}
"*.*.input.client_id" = {{ dictionary = "apps", probability = 0.6 }}
"*.*.id" = {{ dictionary = "apps", probability = 0.6 }}
"*.*.after" = {{ dictionary = "none", probability = 0.6 }}
"*.*.first" = {{ dictionary = "sizes", probability = 0.6 }}
"""


def documents():
    admin = {"grant_types": ["client_credentials"], "scope": ["manage", "Castellan:*"]}
    yield {"resourceType": "Client", "id": "5f1cadmin", "secret": SECRET, **admin}
    for number, name in enumerate(PEOPLE):
        mail, phone = f"{name}@example.org", f"+1 555 010{number}"
        yield {
            "resourceType": "User",
            "id": name,
            "userName": name,
            "password": f"the password of {name} 1",
            "emails": [{"value": mail}],
            "phoneNumbers": [{"value": phone}],
            "linkedAccounts": [{"value": name, "domain": "p"}],
        }
        bucket = {"subject": name, "purpose": "p", "attributes": {"a": 1}}
        yield {"resourceType": "Bucket", "id": f"{name}-p", **bucket}
    for name in APPS:
        grants = {"grant_types": ["password"], "first_party": True, "scope": ["openid"]}
        yield {"resourceType": "Client", "id": name, "secret": SECRET, **grants}


class GraphQlTest(unittest.TestCase):
    def test_no_input_makes_the_server_fail(self):
        """Each field of each API with values that fit it and values that do not, of a seed that
        stays."""
        told = "\n---\n".join(json.dumps(document) for document in documents())
        server = serve(told, TABLES)
        self.addCleanup(server.end)
        (server.folder / "schemathesis.toml").write_text(KNOWN, encoding="utf-8")
        for name in PEOPLE:
            person = {"username": name, "password": f"the password of {name} 1", "scope": "openid"}
            self.post(server, client="shop", grant_type="password", **person)
        lines = server.run("schema").splitlines()
        self.assertGreaterEqual(len(lines), 3)
        for name, path in (line.split() for line in lines):
            with self.subTest(api=name):
                token = self.post(server, client="5f1cadmin", grant_type="client_credentials")
                self.run_against(server, server.url + path, token)

    def post(self, server, client, **form):
        answer = requests.post(
            f"{server.url}/auth/token", data=form, auth=(client, SECRET), timeout=30
        )
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()["access_token"]

    def run_against(self, server, url, token):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(server.folder),
            "TMPDIR": str(server.folder),
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SCHEMATHESIS_HOOKS": "graphql_checks",
        }
        ran = subprocess.run(
            [
                Path(sys.executable).parent / "schemathesis",
                *("run", url, "--header", f"Authorization: Bearer {token}"),
                *("--checks", "NoServerError,negative_data_rejection,response_schema_conformance"),
                *("--phases", "coverage,fuzzing", "--max-examples", "30", "--seed", "1"),
                *("--suppress-health-check", "all", "--request-timeout", "20"),
                *("--continue-on-failure", "--warnings", "off"),
            ],
            cwd=server.folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
        said = ran.stdout + ran.stderr + server.said()
        self.assertEqual(ran.returncode, 0, said)
        self.assertIn("Tested: ", ran.stdout, said)
        seen = json.loads((server.folder / "seen.json").read_text(encoding="utf-8"))
        deaf = [field for field, kinds in seen.items() if set(kinds) == {"ValidationError"}]
        self.assertEqual(deaf, [], "nothing that was sent to these got past validation")
