"""The published client `aidboxpy`, unmodified, against `castellan serve`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import requests
from aidboxpy import SyncAidboxClient
from fhirpy.base.exceptions import (
    AuthorizationError,
    ForbiddenError,
    OperationOutcome,
    ResourceNotFound,
)

SECRET = "a secret of more than twelve characters"
DOCUMENTS = [
    {
        "resourceType": "Client",
        "id": name,
        "secret": SECRET,
        "grant_types": ["client_credentials"],
        "scope": [scope],
    }
    for name, scope in [("admin", "Castellan:*"), ("reader", "Castellan:User:Read")]
]


def binary():
    """The server's program, from `CASTELLAN_BINARY`."""
    given = os.environ.get("CASTELLAN_BINARY", "")
    if not os.path.isfile(given):
        sys.exit("CASTELLAN_BINARY is not set to the path of the built `castellan`.")
    return os.path.abspath(given)


class Server:
    """`castellan serve` on a free port, with the clients of these tests."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://localhost:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="castellan-tests-"))
        (self.folder / "castellan.toml").write_text(
            f'issuer = "{self.url}"\n[server]\nlisten = "127.0.0.1:{port}"\n',
            encoding="utf-8",
        )
        documents = "\n---\n".join(json.dumps(one) for one in DOCUMENTS)
        place = {"cwd": self.folder, "env": {"CASTELLAN_LOG": "warn", "TMPDIR": str(self.folder)}}
        config = ["--config", "castellan.toml"]
        subprocess.run(
            [binary(), *config, "apply", "-f", "-"],
            input=documents.encode(),
            check=True,
            stdout=subprocess.DEVNULL,
            **place,
        )
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary(), *config, "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **place,
            )
        end = time.monotonic() + 60
        while not self.is_ready():
            if time.monotonic() > end or self.process.poll() is not None:
                said = self.log.read_text(encoding="utf-8", errors="replace")
                self.end()
                raise TimeoutError(f"castellan serve is not there:\n{said}")
            time.sleep(0.025)

    def is_ready(self):
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def client(self, name):
        """A client of the library that calls as the app `name`."""
        answer = requests.post(
            f"{self.url}/auth/token",
            auth=(name, SECRET),
            data={"grant_type": "client_credentials"},
            timeout=10,
        )
        answer.raise_for_status()
        token = answer.json()["access_token"]
        return SyncAidboxClient(self.url, authorization=f"Bearer {token}")

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class ResourcesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.end)
        cls.client = cls.server.client("admin")

    def test_a_person_is_created_read_changed_and_deleted(self):
        grace = self.client.resource("User", userName="grace", email="grace@example.test")
        grace.save()
        self.assertTrue(grace.id)
        found = self.client.resources("User").search(userName="grace").get()
        self.assertEqual(found.id, grace.id)
        found["name"] = {"formatted": "Grace Hopper"}
        found.save()
        found.patch(inactive=True)
        read = self.client.reference("User", grace.id).to_resource()
        self.assertEqual(read["name"], {"formatted": "Grace Hopper"})
        self.assertTrue(read["inactive"])
        read.delete()
        with self.assertRaises(ResourceNotFound):
            self.client.reference("User", grace.id).to_resource()

    def test_pages_are_followed_to_the_end(self):
        for at in range(7):
            self.client.resource("User", id=f"p{at}", userName=f"page-{at}").save()
        users = self.client.resources("User").sort("_id")
        names = [user["userName"] for user in users.limit(3) if user.id.startswith("p")]
        self.assertEqual(names, [f"page-{at}" for at in range(7)])
        self.assertGreaterEqual(users.count(), 7)
        self.assertEqual(users.limit(1).first().id, users.limit(3).fetch()[0].id)

    def test_refusals_are_told_apart(self):
        with self.assertRaises(ResourceNotFound):
            self.client.reference("User", "nobody").to_resource()
        with self.assertRaises(OperationOutcome):
            self.client.resource("User", userName="x", unknown=1).save()
        reader = self.server.client("reader")
        with self.assertRaises(ForbiddenError):
            reader.resource("User", userName="x").save()
        nobody = SyncAidboxClient(self.server.url, authorization="Bearer nonsense")
        with self.assertRaises(AuthorizationError):
            nobody.resources("User").fetch()


if __name__ == "__main__":
    unittest.main()
