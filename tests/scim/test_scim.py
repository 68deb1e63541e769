"""scim2-tester, which checks servers by RFC 7643 and RFC 7644, and scim2-client, unmodified."""

import json
import unittest

import requests
from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import SearchRequest
from scim2_tester import Status, check_server

from server import serve

SECRET = "a secret of more than twelve characters"
DOCUMENTS = json.dumps(
    {
        "resourceType": "Client",
        "id": "provisioning",
        "secret": SECRET,
        "grant_types": ["client_credentials"],
        "scope": ["scim", "Castellan:*"],
    }
)
TABLES = """
[management]
allow_username_updates = true
[management.scim.scopes]
read = ["scim"]
write = ["scim"]
"""
# How a check may end: all that it asks for holds, whether by a must, a should or a may.
GOOD = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE}


class ScimTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = serve(DOCUMENTS, TABLES)
        cls.addClassCleanup(cls.server.end)
        answer = requests.post(
            f"{cls.server.url}/auth/token",
            data={"grant_type": "client_credentials", "scope": "scim Castellan:*"},
            auth=("provisioning", SECRET),
            timeout=30,
        )
        cls.token = answer.json()["access_token"]

    def client(self):
        http = Client(
            base_url=f"{self.server.url}/scim/v2",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        self.addCleanup(http.close)
        return SyncSCIMClient(http)

    def test_every_check_of_the_tester_passes(self):
        """Several times, since it sends what it makes by chance. None is skipped."""
        for _ in range(3):
            results = check_server(self.client())
            self.assertGreater(len(results), 100)
            bad = [f"{one.title}: {one.reason}" for one in results if one.status not in GOOD]
            self.assertEqual(bad, [], self.server.said())

    def test_a_client_discovers_filters_and_pages(self):
        client = self.client()
        client.discover()
        User = client.get_resource_model("User")
        made = [client.create(User(user_name=f"page-{n}", title="Paged")) for n in range(5)]
        found = client.query(User, query_parameters=SearchRequest(filter='userName eq "PAGE-3"'))
        self.assertEqual([user.id for user in found.resources], [made[3].id])
        names = []
        for start in (1, 3, 5):
            asked = SearchRequest(
                filter='title eq "paged"', sort_by="userName", start_index=start, count=2
            )
            page = client.query(User, query_parameters=asked)
            self.assertEqual(page.total_results, 5)
            names += [user.user_name for user in page.resources]
        self.assertEqual(names, [f"page-{n}" for n in range(5)])
        for user in made:
            client.delete(User, user.id)


if __name__ == "__main__":
    unittest.main()
