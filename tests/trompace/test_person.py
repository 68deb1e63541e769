"""The published client of the TROMPA archive, unmodified, against `castellan demo`."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import jwt
import requests
from trompace.config import TrompaConfig, config, get_jwt
from trompace.connection import submit_query
from trompace.exceptions import QueryException
from trompace.mutations import person
from trompace.queries.person import query_person

ADA = {
    "title": "Ada Lovelace - Wikipedia",
    "contributor": "https://en.wikipedia.org",
    "creator": "https://github.com/trompamusic/trompa-ce-client",
    "source": "https://en.wikipedia.org/wiki/Ada_Lovelace",
    "format_": "text/html",
    "language": "en",
    "name": "Ada \"the Countess\" Lovelace",
    "family_name": "Lovelace",
    "given_name": "Ada",
    "gender": "female",
    "birth_date": "1815-12-10",
    "death_date": "1852",
    "description": "Wrote notes on the Analytical Engine.\nAnd letters.",
    "image": "https://example.org/ada.jpg",
    "publisher": "https://en.wikipedia.org",
    "honorific_prefix": "Countess",
    "honorific_suffix": "of Lovelace",
    "job_title": "Mathematician",
}


def binary():
    """The server's program, from `CASTELLAN_BINARY`."""
    given = os.environ.get("CASTELLAN_BINARY", "")
    if not os.path.isfile(given):
        sys.exit("CASTELLAN_BINARY is not set to the path of the built `castellan`.")
    return os.path.abspath(given)


class Demo:
    """`castellan demo` on a free port, and what it printed."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://localhost:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="castellan-tests-"))
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary(), "demo", "--listen", f"127.0.0.1:{port}"],
                cwd=self.folder,
                env={"CASTELLAN_LOG": "warn", "TMPDIR": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while "Ctrl-C" not in self.said():
            if time.monotonic() > end or self.process.poll() is not None:
                self.end()
                raise TimeoutError(f"castellan demo is not there:\n{self.said()}")
            time.sleep(0.025)
        self.key = re.search(r"key +archivist: (\S+)", self.said())[1]

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class PersonTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.demo = Demo()
        cls.addClassCleanup(cls.demo.end)

    def use(self, scopes, path="/", key=None):
        """Has the client read a configuration, as its users write one."""
        cache = tempfile.mkdtemp(dir=self.demo.folder)
        file = Path(cache) / "trompace.ini"
        file.write_text(
            f"""[server]
host = {self.demo.url}{path}
[auth]
id = archivist
key = {key or self.demo.key}
scopes = {scopes}
token_cache_dir = {cache}
[logging]
level = error
""",
            encoding="utf-8",
        )
        config.__dict__.clear()
        config.load(str(file))

    def test_a_person_is_created_read_changed_and_deleted(self):
        for path in ("/", "/graphql"):
            self.use("Mutation:Person:*", path)
            answer = submit_query(person.mutation_create_person(**ADA), auth_required=True)
            made = answer["data"]["CreatePerson"]["identifier"]
            shown = [
                "name", "familyName", "gender", "language", "birthDate", "deathDate", "title",
                "contributor", "creator", "source", "format", "description", "jobTitle",
            ]
            query = query_person(identifier=made, source=ADA["source"], return_items_list=shown)
            read = submit_query(query)["data"]["Person"]
            self.assertEqual(len(read), 1)
            self.assertEqual(read[0]["name"], ADA["name"])
            self.assertEqual(read[0]["description"], ADA["description"])
            self.assertEqual((read[0]["gender"], read[0]["language"]), ("female", "en"))
            self.assertEqual((read[0]["birthDate"], read[0]["deathDate"]), ("1815-12-10", "1852"))
            self.assertEqual(read[0]["format"], "text/html")
            update = person.mutation_update_person(made, birth_date="1815-12", language="ca")
            submit_query(update, auth_required=True)
            query = query_person(identifier=made, return_items_list=["birthDate", "language"])
            read = submit_query(query)["data"]["Person"]
            self.assertEqual(read, [{"birthDate": "1815-12", "language": "ca"}])
            submit_query(person.mutation_delete_person(made), auth_required=True)
            self.assertEqual(submit_query(query)["data"]["Person"], [])

    def test_two_people_are_the_same(self):
        self.use("Mutation:Person:*,Mutation:PersonExactMatch:*")
        made = [
            submit_query(person.mutation_create_person(**ADA), auth_required=True)
            for _ in range(2)
        ]
        ends = [one["data"]["CreatePerson"]["identifier"] for one in made]
        for mutation in (
            person.mutation_person_add_exact_match_person,
            person.mutation_person_remove_exact_match_person,
        ):
            (answer,) = submit_query(mutation(*ends), auth_required=True)["data"].values()
            self.assertEqual([answer[end]["identifier"] for end in ("from", "to")], ends)

    def test_the_key_is_traded_once_and_the_token_kept(self):
        self.use("Mutation:Person:Create")
        token = config.jwt_token
        self.assertEqual(token, config.jwt_token)
        self.assertEqual(token, Path(config.jwt_key_cache).read_text(encoding="utf-8"))
        said = jwt.decode(token, options={"verify_signature": False})
        self.assertEqual(said["id"], "archivist")
        again = TrompaConfig()
        again._set_jwt_token(token)
        self.assertEqual(again.jwt_token, token)
        self.assertIsNone(get_jwt(f"{self.demo.url}/", "archivist", "wrong", ["Mutation:*"]))

    def test_a_denied_delete_is_told_in_the_words_of_the_contract(self):
        self.use("Mutation:Person:Create")
        answer = submit_query(person.mutation_create_person(**ADA), auth_required=True)
        made = answer["data"]["CreatePerson"]["identifier"]
        delete = person.mutation_delete_person(made)
        for auth_required, told in (
            (True, "You are not authorized for this resource"),
            (False, "No authorization token."),
        ):
            with self.assertRaises(QueryException) as raised:
                submit_query(delete, auth_required=auth_required)
            self.assertIn(told, str(raised.exception))
        query = query_person(identifier=made)
        self.assertEqual(len(submit_query(query)["data"]["Person"]), 1)

    def test_nobody_writes_without_a_token(self):
        self.use("Mutation:Person:*")
        body = {"query": person.mutation_create_person(**ADA)}
        answer = requests.post(config.host, json=body, timeout=10).json()
        self.assertEqual(answer["data"], {"CreatePerson": None})


if __name__ == "__main__":
    unittest.main()
