"""The published client `aidboxpy`, unmodified, against `castellan serve`."""

import json
import unittest

import requests
from aidboxpy import SyncAidboxClient
from fhirpy.base.exceptions import (
    AuthorizationError,
    ForbiddenError,
    OperationOutcome,
    ResourceNotFound,
)

from server import serve

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


def client(server, name):
    """A client of the library that calls as the app `name`."""
    answer = requests.post(
        f"{server.url}/auth/token",
        auth=(name, SECRET),
        data={"grant_type": "client_credentials"},
        timeout=10,
    )
    answer.raise_for_status()
    token = answer.json()["access_token"]
    return SyncAidboxClient(server.url, authorization=f"Bearer {token}")


class ResourcesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = serve("\n---\n".join(json.dumps(one) for one in DOCUMENTS))
        cls.addClassCleanup(cls.server.end)
        cls.client = client(cls.server, "admin")

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
        reader = client(self.server, "reader")
        with self.assertRaises(ForbiddenError):
            reader.resource("User", userName="x").save()
        nobody = SyncAidboxClient(self.server.url, authorization="Bearer nonsense")
        with self.assertRaises(AuthorizationError):
            nobody.resources("User").fetch()


if __name__ == "__main__":
    unittest.main()
