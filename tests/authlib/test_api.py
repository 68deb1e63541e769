"""An API of its own that takes the server's access tokens, guarded by Authlib (RFC 9068)."""

import requests
from authlib.oauth2 import ResourceProtector
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.errors import BadSignatureError, ExpiredTokenError, InvalidClaimError
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import ECKey, KeySet

from apps import API, BY_BASIC, OPAQUE, SPA, Visit, serve_apps


def setUpModule():
    serve_apps()


class ByKeys(JWTBearerTokenValidator):
    """Reads tokens by the published keys."""

    def __init__(self, keys, issuer, resource_server):
        super().__init__(issuer, resource_server)
        self.keys = keys

    def get_jwks(self):
        return self.keys


class ByAsking(IntrospectTokenValidator):
    """Asks the server about every token."""

    def __init__(self, ask):
        super().__init__()
        self.introspect_token = ask


def call(validator, session, scopes=()):
    """What an API learns of a call that `session` makes."""
    guard = ResourceProtector()
    guard.register_token_validator(validator)
    sent = requests.Request("GET", API, auth=session.token_auth).prepare()
    return guard.validate_request(list(scopes), sent)


class Guarded(Visit):
    def validator(self, **other):
        known = {"issuer": self.metadata["issuer"], "resource_server": API, **other}
        return ByKeys(known.pop("keys", None) or self.published_keys(), **known)

    def assert_not_let_in(self, session, why, claim=None, **other):
        with self.assertRaises(InvalidTokenError) as caught:
            call(self.validator(**other), session)
        cause = caught.exception.__cause__
        self.assertIsInstance(cause, why)
        self.assertEqual(getattr(cause, "claim", None), claim)

    def test_the_api_learns_who_calls_by_which_app(self):
        for app in (SPA, BY_BASIC):
            with self.subTest(app.name):
                signed_in = self.sign_in(app)
                claims = call(self.validator(), signed_in.session, ["profile"])
                self.assertEqual(claims["sub"], "ada")
                self.assertEqual(claims["client_id"], app.name)
                self.assertEqual(claims.header["typ"], "at+jwt")
                self.assertEqual(claims["exp"] - claims["iat"], signed_in.tokens["expires_in"])

    def test_every_token_has_a_name_of_its_own(self):
        session = self.sign_in(SPA).session
        first = call(self.validator(), session)["jti"]
        session.refresh_token()
        self.assertNotEqual(call(self.validator(), session)["jti"], first)

    def test_a_token_that_lacks_a_scope_is_not_enough(self):
        session = self.sign_in(SPA, scope="openid").session
        call(self.validator(), session, ["openid"])
        with self.assertRaises(InsufficientScopeError):
            call(self.validator(), session, ["profile"])

    def test_a_token_is_good_at_the_apis_that_it_names(self):
        session = self.sign_in(SPA).session
        call(self.validator(), session)
        call(self.validator(resource_server=self.metadata["issuer"]), session)
        other = {"resource_server": "https://other.test"}
        self.assert_not_let_in(session, InvalidClaimError, "aud", **other)

    def test_a_token_is_of_one_issuer(self):
        session = self.sign_in(SPA).session
        self.assert_not_let_in(session, InvalidClaimError, "iss", issuer="https://other.test")

    def test_an_id_token_is_no_access_token(self):
        signed_in = self.sign_in(SPA)
        signed_in.session.token = {
            "access_token": signed_in.tokens["id_token"],
            "token_type": "Bearer",
        }
        # For this audience it would do, by everything but its type.
        self.assert_not_let_in(
            signed_in.session, InvalidClaimError, "typ", resource_server=SPA.name
        )
        self.assert_token_is_over(signed_in.session)

    def test_a_token_that_was_changed_or_signed_by_others_is_not_let_in(self):
        signed_in = self.sign_in(SPA)
        kid = call(self.validator(), signed_in.session).header["kid"]
        impostor = KeySet([ECKey.generate_key("P-256", {"kid": kid})])
        self.assert_not_let_in(signed_in.session, BadSignatureError, keys=impostor)
        stranger = KeySet([ECKey.generate_key("P-256", {"kid": "other"})])
        self.assert_not_let_in(signed_in.session, InvalidKeyIdError, keys=stranger)
        head, body, mark = signed_in.tokens["access_token"].split(".")
        turned = f"{head}.{body}.{mark[::-1]}"
        signed_in.session.token = {"access_token": turned, "token_type": "Bearer"}
        self.assert_not_let_in(signed_in.session, BadSignatureError)
        self.assert_token_is_over(signed_in.session)

    def test_a_token_ends_when_it_says(self):
        claims = call(self.validator(), self.sign_in(SPA).session)
        claims.validate(now=claims["exp"] - 1)
        with self.assertRaises(ExpiredTokenError):
            claims.validate(now=claims["exp"] + 1)


class Asking(Visit):
    def validator(self):
        api = self.session(BY_BASIC)
        return ByAsking(lambda token: self.introspected(api, token))

    def test_an_opaque_token_is_known_by_asking(self):
        signed_in = self.sign_in(OPAQUE)
        self.assertNotIn(".", signed_in.tokens["access_token"])
        seen = call(self.validator(), signed_in.session, ["profile"])
        self.assertEqual(seen["sub"], "ada")
        self.assertEqual(seen["client_id"], "opaque")
        with self.assertRaises(InsufficientScopeError):
            call(self.validator(), signed_in.session, ["Mutation:Person:Create"])

    def test_a_token_that_was_given_back_is_not_let_in(self):
        for app in (OPAQUE, SPA):
            with self.subTest(app.name):
                signed_in = self.sign_in(app)
                call(self.validator(), signed_in.session)
                self.revoke(signed_in.session, token=signed_in.tokens["refresh_token"])
                with self.assertRaises(InvalidTokenError):
                    call(self.validator(), signed_in.session)
