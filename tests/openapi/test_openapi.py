"""schemathesis against our own endpoints, by the committed OpenAPI document: whatever it sends, an
answer has a documented status, media type and shape, and is no server error."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

from server import serve

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
SECRET = "a secret of more than twelve characters"
# It calls with its secret, so that nothing that is sent can end what it calls with.
DOCUMENTS = json.dumps(
    {
        "resourceType": "Client",
        "id": "admin",
        "secret": SECRET,
        "grant_types": ["basic"],
        "scope": ["Castellan:*"],
    }
)
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]


class OpenApiTest(unittest.TestCase):
    def test_answers_are_as_documented(self):
        """Values at the edges of each schema, and random ones, of a seed that stays."""
        server = serve(DOCUMENTS)
        self.addCleanup(server.end)
        ran = subprocess.run(
            [
                Path(sys.executable).parent / "schemathesis",
                *("run", DOCUMENT, "--url", server.url, "--auth", f"admin:{SECRET}"),
                *("--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing"),
                *("--max-examples", "5", "--seed", "1", "--continue-on-failure"),
                # The same resources once more, at another path.
                *("--exclude-path-regex", "^/fhir/"),
            ],
            cwd=server.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(server.folder), "TMPDIR": str(server.folder)},
            capture_output=True,
            encoding="utf-8",
            timeout=900,
            check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr + server.said())
        self.assertIn("Tested: ", ran.stdout)
