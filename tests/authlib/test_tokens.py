"""What an app does with its tokens: refresh, look into, use and give back."""

from apps import BY_BASIC, BY_EC_KEY, BY_RSA_KEY, IN_THE_BODY, SPA, Visit, serve_apps


def setUpModule():
    serve_apps()


class Tokens:
    """What holds for every app, however it proves itself."""

    app = None

    def test_a_refresh_gives_new_tokens(self):
        signed_in = self.sign_in(self.app)
        first, session = dict(signed_in.tokens), signed_in.session
        second = session.refresh_token()
        self.assertNotEqual(second["access_token"], first["access_token"])
        self.assertNotEqual(second["refresh_token"], first["refresh_token"])
        self.assertEqual(second["scope"], first["scope"])
        self.assertEqual(self.userinfo(session).json()["sub"], "ada")
        third = session.refresh_token()
        self.assertNotEqual(third["refresh_token"], second["refresh_token"])

    def test_a_refresh_token_that_is_used_twice_ends_them_all(self):
        signed_in = self.sign_in(self.app)
        first, session = dict(signed_in.tokens), signed_in.session
        second = dict(session.refresh_token())
        self.assertEqual(self.userinfo(session).status_code, 200)
        for stale in (first, second):
            # The second has become stale by what happened to the first.
            token = stale["refresh_token"]
            self.assert_refused("invalid_grant", session.refresh_token, refresh_token=token)
        self.assert_token_is_over(session)

    def test_a_refresh_may_ask_for_less_and_not_for_more(self):
        session = self.sign_in(self.app).session
        self.assertEqual(session.refresh_token(scope="openid email")["scope"], "openid email")
        person = self.userinfo(session).json()
        self.assertEqual(person["email"], "ada@example.org")
        self.assertNotIn("name", person)
        wider = "openid email offline_access"
        self.assert_refused("invalid_scope", session.refresh_token, scope=wider)

    def test_a_refresh_token_is_worth_nothing_to_another_app(self):
        signed_in = self.sign_in(self.app)
        token = signed_in.tokens["refresh_token"]
        other = self.session(SPA if self.app is not SPA else BY_BASIC)
        self.assert_refused("invalid_grant", other.refresh_token, refresh_token=token)
        signed_in.session.refresh_token()

    def test_an_access_token_that_is_over_is_replaced_without_being_asked(self):
        kept = []

        def keep(token, refresh_token):
            kept.append((dict(token), refresh_token))

        signed_in = self.sign_in(self.app, update_token=keep)
        first, session = dict(signed_in.tokens), signed_in.session
        self.assertEqual(self.userinfo(session).status_code, 200)
        self.assertEqual(kept, [])
        session.token["expires_at"] = 1
        self.assertEqual(self.userinfo(session).status_code, 200)
        [(second, used)] = kept
        self.assertEqual(used, first["refresh_token"])
        self.assertNotEqual(second["access_token"], first["access_token"])

    def test_giving_the_refresh_token_back_ends_everything(self):
        self.give_back("refresh_token")

    def test_giving_the_access_token_back_ends_everything(self):
        self.give_back("access_token")

    def give_back(self, kind):
        signed_in = self.sign_in(self.app)
        tokens, session = signed_in.tokens, signed_in.session
        self.assertEqual(self.userinfo(session).status_code, 200)
        self.revoke(session, token=tokens[kind], token_type_hint=kind)
        # Once more is no error (RFC 7009 §2.2).
        self.revoke(session, token=tokens[kind])
        self.assert_token_is_over(session)
        self.assert_refused("invalid_grant", session.refresh_token)

    def test_another_app_cannot_give_them_back(self):
        signed_in = self.sign_in(self.app)
        other = self.session(SPA if self.app is not SPA else BY_BASIC)
        self.revoke(other, token=signed_in.tokens["refresh_token"])
        self.assertEqual(self.userinfo(signed_in.session).status_code, 200)
        signed_in.session.refresh_token()


class WithProof(Tokens):
    """What an app may do besides that can prove itself."""

    def test_the_app_looks_into_its_tokens(self):
        signed_in = self.sign_in(self.app)
        seen = self.introspected(signed_in.session, signed_in.tokens["access_token"])
        self.assertIs(seen["active"], True)
        self.assertEqual(seen["sub"], "ada")
        self.assertEqual(seen["username"], "ada")
        self.assertEqual(seen["client_id"], self.app.name)
        self.assertEqual(seen["iss"], self.metadata["issuer"])
        self.assertEqual(set(seen["scope"].split()), {"openid", "profile", "email"})
        self.assertEqual(seen["exp"] - seen["iat"], signed_in.tokens["expires_in"])
        refresh = self.introspected(signed_in.session, signed_in.tokens["refresh_token"])
        self.assertIs(refresh["active"], True)

    def test_the_app_sees_nothing_of_tokens_that_are_over(self):
        signed_in = self.sign_in(self.app)
        tokens, session = signed_in.tokens, signed_in.session
        kinds = ("access_token", "refresh_token")
        for kind in kinds:
            self.assertIs(self.introspected(session, tokens[kind])["active"], True)
        self.revoke(session, token=tokens["refresh_token"])
        for token in [tokens[kind] for kind in kinds] + ["no token"]:
            self.assertEqual(self.introspected(session, token), {"active": False})

    def test_the_app_sees_nothing_of_a_refresh_token_that_was_used(self):
        signed_in = self.sign_in(self.app)
        used = signed_in.tokens["refresh_token"]
        signed_in.session.refresh_token()
        self.assertEqual(self.introspected(signed_in.session, used), {"active": False})


class OfAPublicApp(Tokens, Visit):
    app = SPA

    def test_the_app_may_not_look_into_tokens(self):
        signed_in = self.sign_in(self.app)
        answer = signed_in.session.introspect_token(
            self.metadata["introspection_endpoint"], token=signed_in.tokens["access_token"]
        )
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(answer.json()["error"], "invalid_client")


class OfAnAppWithASecretByBasic(WithProof, Visit):
    app = BY_BASIC


class OfAnAppWithASecretInTheBody(WithProof, Visit):
    app = IN_THE_BODY


class OfAnAppWithAnRsaKey(WithProof, Visit):
    app = BY_RSA_KEY


class OfAnAppWithAnEcKey(WithProof, Visit):
    app = BY_EC_KEY
