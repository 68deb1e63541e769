"""Apps that act for themselves, and how they prove that it is they."""

import time

from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, RSAKey

from apps import BY_BASIC, BY_EC_KEY, BY_RSA_KEY, EC, IN_THE_BODY, PASSWORD, RSA, SECRET, SPA
from apps import App, Visit, serve_apps

MACHINE = {"grant_type": "client_credentials"}


def setUpModule():
    serve_apps()


class Machine:
    """What holds for every app that can prove itself."""

    app = None

    def machine(self, **more):
        return self.session(self.app, **{"scope": None, **MACHINE, **more})

    def test_it_acts_for_itself(self):
        session = self.machine(scope="Mutation:Person:Create")
        tokens = session.fetch_token()
        self.assertEqual(tokens["scope"], "Mutation:Person:Create")
        self.assertNotIn("refresh_token", tokens)
        self.assertNotIn("id_token", tokens)
        seen = self.introspected(session, tokens["access_token"])
        self.assertIs(seen["active"], True)
        self.assertEqual(seen["sub"], self.app.name)
        self.assertNotIn("username", seen)

    def test_it_asks_again_by_itself_when_its_token_is_over(self):
        kept = []

        def keep(token, access_token):
            kept.append((dict(token), access_token))

        session = self.machine(update_token=keep)
        first = dict(session.fetch_token())
        session.token["expires_at"] = 1
        # It is no person: what matters is that a new token was sent.
        session.get(self.metadata["userinfo_endpoint"])
        [(second, replaced)] = kept
        self.assertEqual(replaced, first["access_token"])
        self.assertIs(self.introspected(session, second["access_token"])["active"], True)

    def test_it_gives_its_token_back(self):
        session = self.machine()
        token = session.fetch_token()["access_token"]
        self.assertIs(self.introspected(session, token)["active"], True)
        self.revoke(session, token=token)
        self.assertEqual(self.introspected(session, token), {"active": False})

    def test_it_is_nobody_at_userinfo(self):
        session = self.machine()
        session.fetch_token()
        self.assertEqual(self.userinfo(session).status_code, 401)

    def test_it_gets_no_scope_that_it_does_not_have(self):
        for scope in ("Mutation:*", "Mutation:Work:Create", "unheard-of"):
            with self.subTest(scope):
                self.assert_refused("invalid_scope", self.machine(scope=scope).fetch_token)

    def test_it_cannot_send_a_password(self):
        person = {"grant_type": "password", "username": "ada", "password": PASSWORD}
        self.assert_refused("unauthorized_client", self.machine().fetch_token, **person)


class BySecretInBasic(Machine, Visit):
    app = BY_BASIC


class BySecretInTheBody(Machine, Visit):
    app = IN_THE_BODY


class ByRsaKey(Machine, Visit):
    app = BY_RSA_KEY


class ByEcKey(Machine, Visit):
    app = BY_EC_KEY


class Refused(Visit):
    def refusal(self, session):
        """The answer with which `session` is told that it is not known."""
        answers = []

        def keep(answer):
            answers.append(answer)
            return answer

        session.register_compliance_hook("access_token_response", keep)
        self.assert_refused("invalid_client", session.fetch_token)
        [answer] = answers
        return answer

    def test_a_wrong_secret_by_basic(self):
        session = self.session(BY_BASIC, scope=None, secret=f"{SECRET}x", **MACHINE)
        answer = self.refusal(session)
        self.assertEqual(answer.status_code, 401)
        # It is asked again in the way that it tried (RFC 6749 §5.2).
        self.assertTrue(answer.headers["www-authenticate"].startswith("Basic "))

    def test_a_wrong_secret_in_the_body(self):
        session = self.session(IN_THE_BODY, scope=None, secret=f"{SECRET}x", **MACHINE)
        self.assertEqual(self.refusal(session).status_code, 401)

    def test_an_app_that_is_not_registered(self):
        other = App("other", "client_secret_basic", SECRET)
        self.assertEqual(self.refusal(self.session(other, scope=None, **MACHINE)).status_code, 401)

    def test_a_public_app(self):
        session = self.session(SPA, scope=None, **MACHINE)
        self.assertEqual(self.refusal(session).status_code, 401)


class Statements(Visit):
    """`private_key_jwt`: what a statement has to say, and how often it may be shown."""

    def stated(self, key=RSA, alg="RS256", to=None, **claims):
        """An app that shows the same statement whenever it asks."""
        session = self.session(App("keyed", "private_key_jwt", key), scope=None, **MACHINE)
        said = {"exp": int(time.time()) + 300, **claims}
        audience = to or self.metadata["token_endpoint"]
        session.register_client_auth_method(PrivateKeyJWT(audience, claims=said, alg=alg))
        return session

    def test_one_is_good_once(self):
        session = self.stated()
        session.fetch_token()
        self.assert_refused("invalid_client", session.fetch_token)

    def test_one_may_be_for_the_issuer(self):
        self.stated(to=self.metadata["issuer"]).fetch_token()

    def test_one_for_somebody_else_is_refused(self):
        session = self.stated(to="https://other.test/token")
        self.assert_refused("invalid_client", session.fetch_token)

    def test_one_of_another_key_is_refused(self):
        others = {"RS256": RSAKey.generate_key(2048), "ES256": ECKey.generate_key("P-256")}
        for alg, key in others.items():
            with self.subTest(alg):
                self.assert_refused("invalid_client", self.stated(key, alg).fetch_token)

    def test_one_of_another_app_is_refused(self):
        session = self.stated(EC, "ES256", iss="web", sub="web")
        self.assert_refused("invalid_client", session.fetch_token)

    def test_one_that_is_over_is_refused(self):
        session = self.stated(exp=int(time.time()) - 300)
        self.assert_refused("invalid_client", session.fetch_token)

    def test_one_that_lives_for_a_day_is_refused(self):
        # Authlib's own live for an hour. A server may refuse what is good for unreasonably long
        # (RFC 7523 §3, number 4).
        session = self.stated(exp=int(time.time()) + 86_400)
        self.assert_refused("invalid_client", session.fetch_token)
