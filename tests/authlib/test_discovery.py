"""What the server says about itself, read by Authlib's own rules for such documents."""

import requests
from authlib.oauth2 import rfc8414, rfc9207
from authlib.oidc import discovery, rpinitiated

from apps import Visit, serve_apps


def setUpModule():
    serve_apps()


class Discovery(Visit):
    def test_its_metadata_are_what_openid_connect_asks_for(self):
        extensions = [rfc9207.AuthorizationServerMetadata, rpinitiated.OpenIDProviderMetadata]
        document = discovery.OpenIDProviderMetadata(self.metadata)
        document.validate(metadata_classes=extensions)
        self.assertEqual(document["issuer"], self.server.url)
        self.assertIs(document["authorization_response_iss_parameter_supported"], True)
        self.assertEqual(document["code_challenge_methods_supported"], ["S256"])

    def test_its_metadata_are_what_oauth_asks_for(self):
        path = rfc8414.get_well_known_url(self.server.url, external=True)
        answer = requests.get(path, timeout=30)
        self.assertEqual(answer.headers["content-type"], "application/json")
        document = rfc8414.AuthorizationServerMetadata(answer.json())
        document.validate()
        self.assertEqual(document, self.metadata)

    def test_its_published_keys_can_be_told_apart_and_are_public(self):
        keys = self.published_keys().keys
        self.assertEqual(len({key.kid for key in keys}), len(keys))
        self.assertTrue(all(key.kid for key in keys))
        self.assertFalse(any(key.is_private for key in keys))
        self.assertEqual({key.key_type for key in keys}, {"RSA", "EC"})
