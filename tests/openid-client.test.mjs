// What an app developer does with `openid-client`, as it comes, and with nothing told but the
// issuer's address.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose';
import * as client from 'openid-client';
import { ScriptedBrowser } from './scripted-browser.mjs';
import { endAll, serve } from './support.mjs';

const PASSWORD = 'pw-ada-12 & co';
// Every sign that Basic has to encode (RFC 6749 §2.3.1).
const SECRET = 's:e/c+r%e t&="é';
const BACK = 'https://app.test/back';
const BYE = 'https://app.test/bye';
const key = await generateKeyPair('ES256');

const documents = `
resourceType: User
id: ada
userName: ada
password: ${JSON.stringify(PASSWORD)}
name: {givenName: Ada, familyName: Lovelace}
emails: [{value: ada@example.org, primary: true}]
---
resourceType: Client
id: spa
grant_types: [authorization_code, refresh_token]
scope: [openid, profile, email, offline_access]
redirect_uris: ["${BACK}", "${BACK}?kept=1"]
---
resourceType: Client
id: web
secret: ${JSON.stringify(SECRET)}
grant_types: [authorization_code, refresh_token, client_credentials]
scope: [openid, profile, email, offline_access, "Mutation:Person:*"]
redirect_uris: ["${BACK}", "${BACK}?kept=1"]
---
resourceType: Client
id: keyed
jwks: ${JSON.stringify({ keys: [await exportJWK(key.publicKey)] })}
grant_types: [authorization_code, refresh_token, client_credentials]
scope: [openid, profile, email, offline_access, "Mutation:Person:*"]
redirect_uris: ["${BACK}", "${BACK}?kept=1"]
post_logout_redirect_uris: ["${BYE}"]
require_pushed_authorization_requests: true
`;

const apps = [
  { name: 'a public app', id: 'spa', proof: () => client.None() },
  {
    name: 'an app with a secret, by Basic',
    id: 'web',
    proof: () => client.ClientSecretBasic(SECRET),
    confidential: true,
  },
  {
    name: 'an app with a secret, in the body',
    id: 'web',
    proof: () => client.ClientSecretPost(SECRET),
    confidential: true,
  },
  {
    name: 'an app with a key, that pushes its requests',
    id: 'keyed',
    proof: () => client.PrivateKeyJwt(key.privateKey),
    confidential: true,
    pushes: true,
  },
];

let castellan;

before(async () => {
  castellan = await serve({ documents, tables: '[tokens]\nrefresh_grace_off = true\n' });
});

after(endAll);

/** Apps that hand their requests over themselves. */
const pushing = new WeakSet();

/** Discovery; what it finds is all that the tests go by. */
async function discover({ id, proof, pushes }) {
  const config = await client.discovery(new URL(castellan.url), id, undefined, proof(), {
    execute: [client.allowInsecureRequests],
  });
  // ID tokens are held against the published keys, too.
  client.enableNonRepudiationChecks(config);
  if (pushes) pushing.add(config);
  return config;
}

/** Begins: what to remember, and where to send the browser. */
async function begin(config, more = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const parameters = {
    redirect_uri: BACK,
    scope: 'openid profile email',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  };
  const url = pushing.has(config)
    ? await client.buildAuthorizationUrlWithPAR(config, parameters)
    : client.buildAuthorizationUrl(config, parameters);
  return { verifier, state, nonce, url };
}

const checks = ({ verifier, state, nonce }) => ({
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  idTokenExpected: true,
});

async function signIn(app) {
  const config = await discover(app);
  const begun = await begin(config);
  const browser = new ScriptedBrowser(castellan.url);
  const { callback, asked } = await browser.signInAndAllow(begun.url, 'ada', PASSWORD);
  const tokens = await client.authorizationCodeGrant(config, callback, checks(begun));
  return { config, begun, browser, callback, asked, tokens };
}

const refusedWith = (error) => (thrown) => {
  assert.equal(thrown.error, error, thrown.stack);
  return true;
};

for (const app of apps) {
  describe(app.name, () => {
    it('signs a person in and learns who they are', async () => {
      const { config, tokens, begun } = await signIn(app);
      const claims = tokens.claims();
      assert.equal(claims.sub, 'ada');
      assert.equal(claims.aud, app.id);
      assert.equal(claims.iss, castellan.url);
      assert.equal(claims.nonce, begun.nonce);
      assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'RS256');
      assert.equal(tokens.token_type, 'bearer');
      assert.ok(tokens.expiresIn() > 0);
      const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
      assert.equal(person.name, 'Ada Lovelace');
      assert.equal(person.email, 'ada@example.org');
    });

    it('trusts no ID token whose key is not published', async () => {
      const config = await discover(app);
      const begun = await begin(config);
      const browser = new ScriptedBrowser(castellan.url);
      const { callback } = await browser.signInAndAllow(begun.url, 'ada', PASSWORD);
      config[client.customFetch] = (url, options) =>
        url === config.serverMetadata().jwks_uri
          ? Promise.resolve(Response.json({ keys: [] }))
          : fetch(url, options);
      await assert.rejects(client.authorizationCodeGrant(config, callback, checks(begun)), {
        code: 'OAUTH_KEY_SELECTION_FAILED',
      });
    });

    it('keeps the query of its redirect URI and gets the issuer in the answer', async () => {
      const begun = await begin(await discover(app), { redirect_uri: `${BACK}?kept=1` });
      const browser = new ScriptedBrowser(castellan.url);
      const { callback } = await browser.signInAndAllow(begun.url, 'ada', PASSWORD);
      assert.equal(callback.searchParams.get('kept'), '1');
      assert.equal(callback.searchParams.get('state'), begun.state);
      assert.equal(callback.searchParams.get('iss'), castellan.url);
    });

    it('cannot redeem a code with another verifier', async () => {
      const config = await discover(app);
      const begun = await begin(config);
      const browser = new ScriptedBrowser(castellan.url);
      const { callback } = await browser.signInAndAllow(begun.url, 'ada', PASSWORD);
      const other = { ...begun, verifier: client.randomPKCECodeVerifier() };
      await assert.rejects(
        client.authorizationCodeGrant(config, callback, checks(other)),
        refusedWith('invalid_grant'),
      );
      await assert.rejects(
        client.authorizationCodeGrant(config, callback, checks(begun)),
        refusedWith('invalid_grant'),
        'the code is spent',
      );
    });

    it('loses its tokens when a code is redeemed twice', async () => {
      const { config, begun, callback, tokens } = await signIn(app);
      await assert.rejects(
        client.authorizationCodeGrant(config, callback, checks(begun)),
        refusedWith('invalid_grant'),
      );
      await assert.rejects(client.fetchUserInfo(config, tokens.access_token, 'ada'), isChallenge);
    });

    it('gets a new refresh token with each use, and one used twice ends them all', async () => {
      const { config, tokens } = await signIn(app);
      const second = await client.refreshTokenGrant(config, tokens.refresh_token);
      assert.notEqual(second.refresh_token, tokens.refresh_token);
      assert.notEqual(second.access_token, tokens.access_token);
      await client.fetchUserInfo(config, second.access_token, 'ada');
      const third = await client.refreshTokenGrant(config, second.refresh_token);
      const stolen = client.refreshTokenGrant(config, second.refresh_token);
      await assert.rejects(stolen, refusedWith('invalid_grant'));
      const afterwards = client.refreshTokenGrant(config, third.refresh_token);
      await assert.rejects(afterwards, refusedWith('invalid_grant'));
      await assert.rejects(client.fetchUserInfo(config, third.access_token, 'ada'), isChallenge);
    });

    for (const kind of ['refresh_token', 'access_token']) {
      it(`gives everything back by its ${kind}`, async () => {
        const { config, tokens } = await signIn(app);
        await client.tokenRevocation(config, tokens[kind], { token_type_hint: kind });
        await client.tokenRevocation(config, tokens[kind]);
        await assert.rejects(client.fetchUserInfo(config, tokens.access_token, 'ada'), isChallenge);
        const refreshed = client.refreshTokenGrant(config, tokens.refresh_token);
        await assert.rejects(refreshed, refusedWith('invalid_grant'));
      });
    }

    it('is told when the person does not agree', async () => {
      const config = await discover(app);
      const begun = await begin(config, { prompt: 'consent' });
      const browser = new ScriptedBrowser(castellan.url);
      const login = await browser.open(begun.url);
      const consent = await browser.press(login, 'Sign in', {
        username: 'ada',
        password: PASSWORD,
      });
      const { leftFor } = await browser.press(consent, 'Deny');
      await assert.rejects(
        client.authorizationCodeGrant(config, leftFor, checks(begun)),
        refusedWith('access_denied'),
      );
    });

    it('is told that nobody is signed in when nobody may be asked', async () => {
      const config = await discover(app);
      const begun = await begin(config, { prompt: 'none' });
      const { leftFor } = await new ScriptedBrowser(castellan.url).open(begun.url);
      await assert.rejects(
        client.authorizationCodeGrant(config, leftFor, checks(begun)),
        refusedWith('login_required'),
      );
    });

    it('sees through answers that are not its own', async () => {
      const config = await discover(app);
      const begun = await begin(config);
      const browser = new ScriptedBrowser(castellan.url);
      const { callback } = await browser.signInAndAllow(begun.url, 'ada', PASSWORD);
      const changed = (name, value) => {
        const url = new URL(callback);
        if (value === undefined) url.searchParams.delete(name);
        else url.searchParams.set(name, value);
        return url;
      };
      for (const url of [
        changed('iss', 'https://other.test'),
        changed('iss'),
        changed('state', 'other'),
        changed('state'),
      ]) {
        await assert.rejects(client.authorizationCodeGrant(config, url, checks(begun)), {
          code: 'OAUTH_INVALID_RESPONSE',
        });
      }
      const mistaken = { ...checks(begun), expectedNonce: 'other' };
      await assert.rejects(client.authorizationCodeGrant(config, callback, mistaken), {
        code: 'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
      });
    });

    it(app.confidential ? 'asks for consent once' : 'asks for consent every time', async () => {
      const { config, browser } = await signIn(app);
      const again = await begin(config);
      const { asked } = await browser.signInAndAllow(again.url, 'ada', PASSWORD);
      assert.deepEqual(asked, app.confidential ? [] : ['consent']);
    });

    if (app.confidential) {
      it('looks into its tokens, and no longer when they are gone', async () => {
        const { config, tokens } = await signIn(app);
        const alive = await client.tokenIntrospection(config, tokens.access_token);
        assert.equal(alive.active, true);
        assert.equal(alive.sub, 'ada');
        assert.equal(alive.username, 'ada');
        assert.equal(alive.client_id, app.id);
        assert.equal(alive.iss, castellan.url);
        assert.deepEqual(new Set(alive.scope.split(' ')), new Set(['openid', 'profile', 'email']));
        assert.ok(alive.exp > alive.iat);
        const refresh = await client.tokenIntrospection(config, tokens.refresh_token);
        assert.equal(refresh.active, true);
        await client.tokenRevocation(config, tokens.refresh_token);
        for (const token of [tokens.access_token, tokens.refresh_token, 'no token']) {
          assert.deepEqual(await client.tokenIntrospection(config, token), { active: false });
        }
      });

      it('acts for itself', async () => {
        const config = await discover(app);
        const tokens = await client.clientCredentialsGrant(config, {
          scope: 'Mutation:Person:Create',
        });
        assert.equal(tokens.scope, 'Mutation:Person:Create');
        assert.equal(tokens.refresh_token, undefined);
        assert.equal(tokens.id_token, undefined);
        const seen = await client.tokenIntrospection(config, tokens.access_token);
        assert.equal(seen.active, true);
        assert.equal(seen.sub, app.id);
      });

      it('is refused scopes that it does not have', async () => {
        const config = await discover(app);
        const tokens = client.clientCredentialsGrant(config, { scope: 'Mutation:*' });
        await assert.rejects(tokens, refusedWith('invalid_scope'));
      });
    } else {
      it('may neither look into tokens nor act for itself', async () => {
        const { config, tokens } = await signIn(app);
        const looked = client.tokenIntrospection(config, tokens.access_token);
        await assert.rejects(looked, refusedWith('invalid_client'));
        await assert.rejects(client.clientCredentialsGrant(config), ({ error }) =>
          ['unauthorized_client', 'invalid_client'].includes(error),
        );
      });
    }
  });
}

describe('an app that signs people out', () => {
  const app = apps.find(({ id }) => id === 'keyed');

  it('need not ask them when it shows whom it means', async () => {
    const { config, browser, tokens } = await signIn(app);
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: BYE,
      state: 'gone',
    });
    const { leftFor } = await browser.open(url);
    assert.equal(leftFor.href, `${BYE}?state=gone`);
    const again = await begin(config, { prompt: 'none' });
    const { leftFor: answer } = await browser.open(again.url);
    assert.equal(answer.searchParams.get('error'), 'login_required');
  });

  it('has them asked otherwise', async () => {
    const { config, browser } = await signIn(app);
    const url = client.buildEndSessionUrl(config, { post_logout_redirect_uri: BYE });
    const page = await browser.open(url);
    const { leftFor } = await browser.press(page, 'Sign out');
    assert.equal(leftFor.href, BYE);
  });
});

describe('an app with a key that is not its own', () => {
  it('is refused', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const config = await discover({ id: 'keyed', proof: () => client.PrivateKeyJwt(privateKey) });
    await assert.rejects(client.clientCredentialsGrant(config), refusedWith('invalid_client'));
  });
});

describe('an app with a wrong secret', () => {
  for (const [how, proof] of [
    ['Basic', client.ClientSecretBasic],
    ['the body', client.ClientSecretPost],
  ]) {
    it(`is refused, by ${how}`, async () => {
      const config = await discover({ id: 'web', proof: () => proof(`${SECRET}x`) });
      await assert.rejects(client.clientCredentialsGrant(config), (thrown) => {
        const told = thrown.error ?? thrown.cause?.find?.((one) => one.scheme)?.scheme;
        assert.ok(['invalid_client', 'basic'].includes(told), thrown.stack);
        assert.equal(thrown.status, 401);
        return true;
      });
    });
  }
});

function isChallenge(thrown) {
  assert.equal(thrown.status, 401, thrown.stack);
  assert.equal(thrown.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE');
  assert.equal(thrown.cause[0].parameters.error, 'invalid_token');
  return true;
}
