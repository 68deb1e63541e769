// What `openid-client` does beyond a code in a query: tokens that are bound to a key, with nonces and
// without, devices, and answers in a body.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { ScriptedBrowser } from './scripted-browser.mjs';
import { archive, endAll, serve } from './support.mjs';

const PASSWORD = 'pw-ada-12 & co';
const BACK = 'https://app.test/back';
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

const documents = `
resourceType: User
id: ada
userName: ada
password: ${JSON.stringify(PASSWORD)}
---
resourceType: Client
id: spa
first_party: true
grant_types: [authorization_code, refresh_token, "${DEVICE_CODE}"]
scope: [openid, profile, "Mutation:Person:*"]
redirect_uris: ["${BACK}"]
---
resourceType: Client
id: bound
first_party: true
dpop_bound_access_tokens: true
require_pushed_authorization_requests: true
grant_types: [authorization_code, refresh_token]
scope: [openid, profile, "Mutation:Person:*"]
redirect_uris: ["${BACK}"]
`;

after(endAll);

async function discover(castellan, id) {
  const config = await client.discovery(new URL(castellan.url), id, undefined, client.None(), {
    execute: [client.allowInsecureRequests],
  });
  client.enableNonRepudiationChecks(config);
  return config;
}

async function begin(config, options, more = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const parameters = {
    redirect_uri: BACK,
    scope: 'openid profile Mutation:Person:*',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    ...more,
  };
  const url = options
    ? await client.buildAuthorizationUrlWithPAR(config, parameters, options)
    : client.buildAuthorizationUrl(config, parameters);
  return { url, checks: { pkceCodeVerifier: verifier, expectedState: state } };
}

for (const nonces of [false, true]) {
  describe(`tokens bound to a key, ${nonces ? 'with' : 'without'} nonces`, () => {
    let castellan;
    let guard;

    before(async () => {
      const upstream = await archive();
      castellan = await serve({
        documents,
        tables: `[tokens]\ndpop_nonce = ${nonces}\nrefresh_grace_off = true\n[[guard]]\nname = "archive"\npath = "/graphql"\ndialect = "trompa"\nupstream = "${upstream.url}"\n`,
      });
      guard = new URL(castellan.at('/graphql'));
    });

    for (const alg of ['ES256', 'EdDSA', 'PS256', 'RS256']) {
      it(`are of use with it alone (${alg})`, async () => {
        const config = await discover(castellan, 'bound');
        const pair = await client.randomDPoPKeyPair(alg);
        const DPoP = client.getDPoPHandle(config, pair);
        const begun = await begin(config, { DPoP });
        const browser = new ScriptedBrowser(castellan.url);
        const { callback } = await browser.signInAndAllow(begun.url, 'ada', PASSWORD);
        const tokens = await client.authorizationCodeGrant(config, callback, begun.checks, {}, { DPoP });
        assert.equal(tokens.token_type, 'dpop');
        // The first answer of an endpoint brings its nonce, by which the library asks again.
        const person = await retried(() =>
          client.fetchUserInfo(config, tokens.access_token, 'ada', { DPoP }),
        );
        assert.equal(person.sub, 'ada');

        // A challenge is a no, which the library throws.
        const write = (token, options) =>
          client
            .fetchProtectedResource(
            config,
            token,
            guard,
            'POST',
            JSON.stringify({ query: 'mutation { CreatePerson(name: "Ada") { name } }' }),
            new Headers({ 'content-type': 'application/json' }),
            options,
          )
            .catch((error) => error.response ?? Promise.reject(error));
        const wrote = async (answer) => (await answer.json()).data?.CreatePerson?.name === 'Ada';
        // This handle was told no nonce yet; at the guard's challenge the library asks again.
        const fresh = client.getDPoPHandle(config, pair);
        assert.ok(await wrote(await write(tokens.access_token, { DPoP: fresh })));
        assert.ok(await wrote(await write(tokens.access_token, { DPoP })));
        assert.ok(!(await wrote(await write(tokens.access_token))), 'as a bearer token');
        const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg));
        assert.ok(!(await wrote(await write(tokens.access_token, { DPoP: thief }))), 'another key');

        const next = await client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP });
        assert.equal(next.token_type, 'dpop');
        assert.ok(await wrote(await write(next.access_token, { DPoP })));
        await assert.rejects(
          retried(() => client.refreshTokenGrant(config, next.refresh_token, {}, { DPoP: thief })),
          { error: 'invalid_grant' },
        );
      });
    }

    it('are owed by an app that says so', async () => {
      const config = await discover(castellan, 'bound');
      const begun = await begin(config, {});
      const { callback } = await new ScriptedBrowser(castellan.url).signInAndAllow(
        begun.url,
        'ada',
        PASSWORD,
      );
      await assert.rejects(client.authorizationCodeGrant(config, callback, begun.checks), {
        error: 'invalid_dpop_proof',
      });
    });
  });
}

/** Once more where the library leaves it to its caller to do so with the nonce that it was told. */
async function retried(ask) {
  try {
    return await ask();
  } catch (error) {
    if (!client.isDPoPNonceError?.(error) && error.error !== 'use_dpop_nonce') {
      const challenges = error.cause;
      const wants = Array.isArray(challenges) && challenges[0]?.parameters?.error;
      if (wants !== 'use_dpop_nonce') throw error;
    }
    return ask();
  }
}

describe('a device', () => {
  let castellan;

  before(async () => {
    castellan = await serve({ documents });
  });

  it('gets its tokens when the person agrees elsewhere', async () => {
    const config = await discover(castellan, 'spa');
    const begun = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' });
    const polled = client.pollDeviceAuthorizationGrant(config, begun);
    const browser = new ScriptedBrowser(castellan.url);
    let page = await browser.open(begun.verification_uri_complete);
    page = await browser.press(page, 'Continue');
    page = await browser.press(page, 'Sign in', { username: 'ada', password: PASSWORD });
    assert.match(page.text, new RegExp(begun.user_code));
    page = await browser.press(page, 'Allow');
    assert.match(page.text, /Your device is connected/);
    const tokens = await polled;
    assert.equal(tokens.claims().sub, 'ada');
    const next = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.equal((await client.fetchUserInfo(config, next.access_token, 'ada')).sub, 'ada');
  });

  it('is told when the person does not', async () => {
    const config = await discover(castellan, 'spa');
    const begun = await client.initiateDeviceAuthorization(config, { scope: 'openid' });
    const polled = client.pollDeviceAuthorizationGrant(config, begun);
    const refused = assert.rejects(polled, { error: 'access_denied' });
    const browser = new ScriptedBrowser(castellan.url);
    let page = await browser.open(begun.verification_uri);
    page = await browser.press(page, 'Continue', { user_code: begun.user_code.toLowerCase() });
    page = await browser.press(page, 'Sign in', { username: 'ada', password: PASSWORD });
    await browser.press(page, 'Deny');
    await refused;
  });
});

describe('an answer in a body', () => {
  it('is one to the library', async () => {
    const castellan = await serve({ documents });
    const config = await discover(castellan, 'spa');
    const begun = await begin(config, undefined, { response_mode: 'form_post' });
    const browser = new ScriptedBrowser(castellan.url);
    const login = await browser.open(begun.url);
    const page = await browser.press(login, 'Sign in', { username: 'ada', password: PASSWORD });
    const [form] = page.forms;
    assert.equal(form.action, BACK);
    const request = new Request(form.action, {
      method: form.method,
      body: new URLSearchParams([...form.fields]),
    });
    const tokens = await client.authorizationCodeGrant(config, request, begun.checks);
    assert.equal(tokens.claims().sub, 'ada');
  });
});
