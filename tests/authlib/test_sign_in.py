"""A person signs in to an app: authorization code, PKCE, ID token."""

from authlib.common.security import generate_token
from authlib.integrations.base_client import BaseApp, FrameworkIntegration
from authlib.integrations.base_client import OAuth2Mixin, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.base import OAuth2Error
from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import BadSignatureError, InvalidClaimError, InvalidKeyIdError
from joserfc.jwk import KeySet, RSAKey

from apps import BACK, BY_BASIC, BY_EC_KEY, BY_RSA_KEY, BYE, IN_THE_BODY, PASSWORD, SECRET, SPA
from apps import Visit, query_of, serve_apps


def setUpModule():
    serve_apps()


class SignIn:
    """What holds for every app, however it proves itself."""

    app = None

    def test_the_app_learns_who_signed_in(self):
        signed_in = self.sign_in(self.app)
        claims = self.id_claims(signed_in)
        self.assertEqual(claims["sub"], "ada")
        self.assertEqual(claims["aud"], self.app.name)
        self.assertIn("at_hash", claims)
        self.assertEqual(claims["nonce"], signed_in.nonce)
        self.assertLessEqual(claims["auth_time"], claims["iat"])
        self.assertGreater(signed_in.tokens["expires_in"], 0)
        person = self.userinfo(signed_in.session).json()
        self.assertEqual(person["sub"], claims["sub"])
        self.assertEqual(person["name"], "Ada Lovelace")
        self.assertEqual(person["email"], "ada@example.org")

    def test_an_id_token_that_is_not_meant_for_the_app_is_seen_through(self):
        signed_in = self.sign_in(self.app)
        self.id_claims(signed_in)
        for claim, other in {
            "nonce": {"nonce": "other"},
            "at_hash": {"access_token": signed_in.tokens["access_token"][:-1]},
            "iss": {"iss": "https://other.test"},
            "aud": {"aud": "other"},
        }.items():
            with self.subTest(claim), self.assertRaises(InvalidClaimError) as caught:
                self.id_claims(signed_in, **other)
            self.assertEqual(caught.exception.claim, claim)

    def test_an_id_token_holds_by_the_published_keys_alone(self):
        signed_in = self.sign_in(self.app)
        own = self.id_claims(signed_in).header["kid"]
        unknown = RSAKey.generate_key(2048, {"kid": "other"})
        with self.assertRaises(InvalidKeyIdError):
            self.id_claims(signed_in, keys=KeySet([unknown]))
        impostor = RSAKey.generate_key(2048, {"kid": own})
        with self.assertRaises(BadSignatureError):
            self.id_claims(signed_in, keys=KeySet([impostor]))

    def test_the_answer_names_its_state_and_the_issuer(self):
        session = self.session(self.app)
        back, verifier, _ = self.begin(session)
        answer = query_of(back)
        self.assertEqual(answer["state"], session.state)
        self.assertEqual(answer["iss"], self.metadata["issuer"])
        with self.assertRaises(OAuth2Error) as caught:
            session.fetch_token(
                authorization_response=back, code_verifier=verifier, state="another"
            )
        self.assertEqual(caught.exception.error, "mismatching_state")

    def test_a_code_is_worth_nothing_with_another_verifier(self):
        session = self.session(self.app)
        back, verifier, _ = self.begin(session)
        for sent in ({"code_verifier": generate_token(48)}, {"code_verifier": verifier}):
            # The second finds the code spent by the first.
            self.assert_refused(
                "invalid_grant", session.fetch_token, authorization_response=back, **sent
            )

    def test_a_code_is_worth_nothing_without_its_verifier(self):
        session = self.session(self.app)
        back, _, _ = self.begin(session)
        self.assert_refused("invalid_grant", session.fetch_token, authorization_response=back)

    def test_a_code_is_worth_nothing_to_another_app(self):
        session = self.session(self.app)
        back, verifier, _ = self.begin(session)
        other = self.session(SPA if self.app is not SPA else BY_BASIC)
        sent = {"authorization_response": back, "code_verifier": verifier}
        self.assert_refused("invalid_grant", other.fetch_token, **sent)

    def test_a_code_that_is_redeemed_twice_ends_its_tokens(self):
        session = self.session(self.app)
        back, verifier, _ = self.begin(session)
        sent = {"authorization_response": back, "code_verifier": verifier}
        session.fetch_token(**sent)
        self.assertEqual(self.userinfo(session).status_code, 200)
        self.assert_refused("invalid_grant", session.fetch_token, **sent)
        self.assert_token_is_over(session)

    def test_a_scope_that_the_app_does_not_have_is_refused(self):
        session = self.session(self.app, scope="openid Mutation:Work:Create")
        back, _, _ = self.begin(session)
        answer = query_of(back)
        self.assertEqual(answer["error"], "invalid_scope")
        self.assertEqual(answer["state"], session.state)
        self.assertNotIn("code", answer)

    def test_the_app_is_told_when_the_person_does_not_agree(self):
        session = self.session(self.app, prompt="consent")
        url, state = session.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=generate_token(48)
        )
        browser = self.browser()
        page = browser.press(browser.open(url), "Sign in", username="ada", password=PASSWORD)
        answer = query_of(browser.press(page, "Deny").left_for)
        self.assertEqual(answer["error"], "access_denied")
        self.assertEqual(answer["state"], state)


class ToAPublicApp(SignIn, Visit):
    app = SPA


class ToAnAppWithASecretByBasic(SignIn, Visit):
    app = BY_BASIC


class ToAnAppWithASecretInTheBody(SignIn, Visit):
    app = IN_THE_BODY


class ToAnAppWithAnRsaKey(SignIn, Visit):
    app = BY_RSA_KEY


class ToAnAppWithAnEcKey(SignIn, Visit):
    app = BY_EC_KEY


class FrameworkApp(OAuth2Mixin, OpenIDMixin, BaseApp):
    """What Authlib's integrations for web frameworks are made of, without a framework."""

    client_cls = OAuth2Session


class ByAWebFramework(Visit):
    def app(self):
        return FrameworkApp(
            FrameworkIntegration("castellan"),
            client_id="web",
            client_secret=SECRET,
            server_metadata_url=get_well_known_url(self.server.url, external=True),
            client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
        )

    def sign_in_to(self, app, browser):
        begun = app.create_authorization_url(BACK)
        back = browser.sign_in_and_allow(begun["url"], "ada", PASSWORD)
        tokens = app.fetch_access_token(
            BACK,
            authorization_response=back,
            state=begun["state"],
            code_verifier=begun["code_verifier"],
        )
        return tokens, begun["nonce"]

    def test_the_app_is_told_nothing_but_the_issuer(self):
        app = self.app()
        tokens, nonce = self.sign_in_to(app, self.browser())
        self.assertEqual(app.parse_id_token(tokens, nonce)["sub"], "ada")
        with self.assertRaises(InvalidClaimError):
            app.parse_id_token(tokens, "another nonce")
        person = app.userinfo(token=tokens)
        self.assertEqual(person.sub, "ada")
        self.assertEqual(person.email, "ada@example.org")
        self.assertEqual(person.filter("email").keys(), {"email", "email_verified"})

    def test_the_app_signs_people_out(self):
        app, browser = self.app(), self.browser()
        tokens, _ = self.sign_in_to(app, browser)
        leaving = app.create_logout_url(BYE, id_token_hint=tokens["id_token"])
        left_for = browser.open(leaving["url"]).left_for
        self.assertEqual(left_for, f"{BYE}?state={leaving['state']}")
        again = app.create_authorization_url(BACK, prompt="none")
        answer = query_of(browser.open(again["url"]).left_for)
        self.assertEqual(answer["error"], "login_required")
