"""The apps of these tests, and what their developers do with Authlib to use them."""

import json
import unittest
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from scripted_browser import ScriptedBrowser
from server import serve

PASSWORD = "pw-ada-12 & co"
# Of signs that Basic leaves as they are: Authlib does not encode them (RFC 6749 §2.3.1).
SECRET = "kept-between-us.2026_~"
BACK = "https://app.test/back"
BYE = "https://app.test/bye"
API = "https://api.test"
RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
PUBLIC = {"keys": [key.as_dict(private=False) for key in (RSA, EC)]}

DOCUMENTS = f"""
resourceType: User
id: ada
userName: ada
password: {json.dumps(PASSWORD)}
name: {{givenName: Ada, familyName: Lovelace}}
emails: [{{value: ada@example.org, primary: true}}]
---
resourceType: Client
id: spa
grant_types: [authorization_code, refresh_token]
scope: [openid, profile, email, offline_access]
redirect_uris: ["{BACK}"]
auth: {{authorization_code: {{audience: ["{API}"]}}}}
---
resourceType: Client
id: web
secret: {json.dumps(SECRET)}
introspect: any
grant_types: [authorization_code, refresh_token, client_credentials]
scope: [openid, profile, email, offline_access, "Mutation:Person:*"]
redirect_uris: ["{BACK}"]
post_logout_redirect_uris: ["{BYE}"]
auth: {{authorization_code: {{audience: ["{API}"]}}}}
---
resourceType: Client
id: keyed
jwks: {json.dumps(PUBLIC)}
grant_types: [authorization_code, refresh_token, client_credentials]
scope: [openid, profile, email, offline_access, "Mutation:Person:*"]
redirect_uris: ["{BACK}"]
auth: {{authorization_code: {{audience: ["{API}"]}}}}
---
resourceType: Client
id: opaque
secret: {json.dumps(SECRET)}
grant_types: [authorization_code, refresh_token]
scope: [openid, profile, email]
redirect_uris: ["{BACK}"]
auth: {{authorization_code: {{token_format: opaque}}}}
"""

# A refresh token that was used once is worth nothing at once, not after some seconds.
TABLES = "[tokens]\nrefresh_grace_off = true\n"


class App:
    """An app as it is registered, and how it proves itself."""

    def __init__(self, name, proof, secret=None, alg=None):
        self.name = name
        self.proof = proof
        self.secret = secret
        self.alg = alg

    def session(self, metadata, **more):
        """What the app has of Authlib, with nothing told but what discovery says."""
        settings = {
            "scope": "openid profile email",
            "redirect_uri": BACK,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": self.proof,
            "revocation_endpoint_auth_method": self.proof,
            "default_timeout": 30,
            **metadata,
            **more,
        }
        session = OAuth2Session(self.name, settings.pop("secret", self.secret), **settings)
        if self.alg:
            # The address of the token endpoint is whom a statement is for, at every endpoint.
            proof = PrivateKeyJWT(metadata["token_endpoint"], alg=self.alg)
            session.register_client_auth_method(proof)
        return session


SPA = App("spa", "none")
BY_BASIC = App("web", "client_secret_basic", SECRET)
IN_THE_BODY = App("web", "client_secret_post", SECRET)
BY_RSA_KEY = App("keyed", "private_key_jwt", RSA, "RS256")
BY_EC_KEY = App("keyed", "private_key_jwt", EC, "ES256")
OPAQUE = App("opaque", "client_secret_basic", SECRET)


class SignedIn:
    """What an app has once a person has signed in."""

    def __init__(self, session, tokens, nonce):
        self.session = session
        self.tokens = tokens
        self.nonce = nonce


def serve_apps():
    """For `setUpModule`: a server with these apps, until the module's tests are over."""
    server = serve(DOCUMENTS, TABLES)
    unittest.addModuleCleanup(server.end)
    Visit.server = server
    Visit.metadata = discovered(server.url)


def discovered(issuer):
    answer = requests.get(get_well_known_url(issuer, external=True), timeout=30)
    answer.raise_for_status()
    return OpenIDProviderMetadata(answer.json())


class Visit(unittest.TestCase):
    """A test with a server, Authlib and a browser."""

    server = metadata = None

    def browser(self):
        return self.enterContext(ScriptedBrowser(self.server.url))

    def session(self, app, **more):
        return self.enterContext(app.session(self.metadata, **more))

    def begin(self, session, **more):
        """Sends a browser to sign in: where it came back to, the verifier and the nonce."""
        verifier, nonce = generate_token(48), generate_token(20)
        url, session.state = session.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **more
        )
        back = self.browser().sign_in_and_allow(url, "ada", PASSWORD)
        return back, verifier, nonce

    def sign_in(self, app, **more):
        session = self.session(app, **more)
        back, verifier, nonce = self.begin(session)
        tokens = session.fetch_token(authorization_response=back, code_verifier=verifier)
        return SignedIn(session, tokens, nonce)

    def published_keys(self):
        answer = requests.get(self.metadata["jwks_uri"], timeout=30)
        answer.raise_for_status()
        return KeySet.import_key_set(answer.json())

    def id_claims(self, signed_in, **other):
        """The claims of the ID token, held against what the app knows or `other` than that."""
        known = {
            "iss": self.metadata["issuer"],
            "aud": signed_in.session.client_id,
            "nonce": signed_in.nonce,
            "access_token": signed_in.tokens["access_token"],
            "keys": self.published_keys(),
            **other,
        }
        algorithms = self.metadata["id_token_signing_alg_values_supported"]
        token = jwt.decode(signed_in.tokens["id_token"], known["keys"], algorithms=algorithms)
        options = {name: {"essential": True, "value": known[name]} for name in ("iss", "aud")}
        names = ("nonce", "access_token")
        params = {"client_id": known["aud"], **{name: known[name] for name in names}}
        claims = CodeIDToken(token.claims, token.header, options, params)
        claims.validate()
        return claims

    def userinfo(self, session):
        return session.get(self.metadata["userinfo_endpoint"])

    def introspected(self, session, token):
        answer = session.introspect_token(self.metadata["introspection_endpoint"], token=token)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def revoke(self, session, **which):
        answer = session.revoke_token(self.metadata["revocation_endpoint"], **which)
        self.assertEqual(answer.status_code, 200, answer.text)

    def assert_refused(self, error, ask, *arguments, **named):
        """That Authlib raises its own error, with this code of the server's."""
        with self.assertRaises(OAuthError) as caught:
            ask(*arguments, **named)
        self.assertEqual(caught.exception.error, error, caught.exception)

    def assert_token_is_over(self, session):
        """That the access token opens nothing, and the answer says why (RFC 6750 §3.1)."""
        answer = self.userinfo(session)
        self.assertEqual(answer.status_code, 401, answer.text)
        self.assertIn('error="invalid_token"', answer.headers["www-authenticate"])


def query_of(url):
    """The parameters of `url`; one that came twice is an error."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True)
    if any(len(values) != 1 for values in found.values()):
        raise AssertionError(f"a parameter comes twice: {url}")
    return {name: values[0] for name, values in found.items()}
