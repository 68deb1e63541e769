"""The sample of docs/identity.md in Python, as it stands there, behind a guard."""

import base64
import datetime
import json
import re
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import jwt
import requests

from server import serve

PAGE = Path(__file__).resolve().parents[2] / "docs" / "identity.md"

DOCUMENTS = """
resourceType: Client
id: robot
secret: secret-of-the-robot
grant_types: [client_credentials]
scope: ["Query:*"]
"""

SDL = "type Query { people: String } type Mutation { createPerson: String }"


class Api(BaseHTTPRequestHandler):
    """An API that remembers who it was told is calling."""

    told = None

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Api.told = self.headers["Castellan-Identity"]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"data":{"people":"all"}}')

    def log_message(self, *_):
        """Tests are quiet."""


def sample(issuer, audience):
    """The sample, with our own addresses."""
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for here, there in (("https://id.example.org", issuer), ("http://127.0.0.1:4000", audience)):
        assert f'"{here}"' in code, here
        code = code.replace(here, there)
    names = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names["caller"]


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Sample(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        api = ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=api.serve_forever, daemon=True).start()
        cls.addClassCleanup(api.server_close)
        cls.addClassCleanup(api.shutdown)
        audience = f"http://127.0.0.1:{api.server_port}"
        guard = (
            '[[guard]]\nname = "{0}"\npath = "/{0}"\nupstream = "' + audience + '/"\n'
            'public = ["Query:*"]\nschema = "' + str(cls.schema()) + '"\n'
        )
        tables = guard.format("archive") + guard.format("other")
        tables += guard.format("third") + 'upstream_id = "third"\n'
        cls.server = serve(DOCUMENTS, tables)
        cls.addClassCleanup(cls.server.end)
        cls.caller = staticmethod(sample(cls.server.url, audience))
        form = {"grant_type": "client_credentials"}
        robot = ("robot", "secret-of-the-robot")
        answer = requests.post(f"{cls.server.url}/auth/token", form, auth=robot, timeout=10)
        cls.token = answer.json()["access_token"]

    @classmethod
    def schema(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        path = Path(folder.name) / "api.graphql"
        path.write_text(SDL, "utf-8")
        return path

    def told(self, guard, token=None):
        """What the API gets at a guard."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.server.url}/{guard}"
        answer = requests.post(url, json={"query": "{ people }"}, headers=headers, timeout=10)
        self.assertEqual(answer.status_code, 200, answer.text)
        return Api.told

    def says(self, header):
        return self.caller({"Castellan-Identity": header})

    def refuses(self, header):
        with self.assertRaises(jwt.PyJWTError):
            self.says(header)

    def test_it_says_who_is_calling(self):
        robot = self.says(self.told("archive", self.token))
        self.assertEqual((robot["sub"], robot["kind"]), ("robot", "access_token"))
        self.assertEqual(robot["scope"], "Query:*")

    def test_it_says_that_nobody_is(self):
        nobody = self.says(self.told("archive"))
        self.assertEqual((nobody["kind"], nobody["client_id"]), ("anonymous", None))

    def test_it_refuses_what_did_not_come_through_its_guard(self):
        with self.assertRaises(jwt.PyJWTError):
            self.caller({})
        self.refuses("")
        self.refuses(self.token)
        self.refuses(self.told("other", self.token))
        self.refuses(self.told("third", self.token))

    def test_it_refuses_what_was_altered(self):
        header, claims, signature = self.told("archive", self.token).split(".")
        known = jwt.decode(f"{header}.{claims}.{signature}", options={"verify_signature": False})
        forged = part({**known, "sub": "admin"})
        self.refuses(f"{header}.{forged}.{signature}")
        self.refuses(f"{header}.{claims}.{'A' * 86}")
        head = jwt.get_unverified_header(f"{header}.{claims}.{signature}")
        self.refuses(f"{part({**head, 'alg': 'none'})}.{forged}.")
        self.refuses(f"{part({**head, 'typ': 'at+jwt'})}.{claims}.{signature}")
        del head["typ"]
        self.refuses(f"{part(head)}.{claims}.{signature}")

    def test_it_refuses_what_is_older_than_a_minute(self):
        header = self.told("archive", self.token)
        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=61)
        with mock.patch("jwt.api_jwt.datetime", wraps=datetime.datetime) as clock:
            clock.now.return_value = later
            with self.assertRaises(jwt.ExpiredSignatureError):
                self.says(header)


if __name__ == "__main__":
    unittest.main()
