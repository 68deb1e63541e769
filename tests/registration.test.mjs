// What an app does with `openid-client` that registers itself: with an initial access token, and by
// what the server says of itself.

import { after, before, it } from 'node:test';
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { ScriptedBrowser } from './scripted-browser.mjs';
import { endAll, serve } from './support.mjs';

const PASSWORD = 'pw-ada-12 & co';
const BACK = 'https://app.test/back';
const insecure = { execute: [client.allowInsecureRequests] };

const documents = `
resourceType: User
id: ada
userName: ada
password: ${JSON.stringify(PASSWORD)}
name: {givenName: Ada, familyName: Lovelace}
---
resourceType: Client
id: installer
secret: the-secret-of-the-installer
grant_types: [client_credentials]
scope: [dcr]
`;

let castellan;

before(async () => {
  castellan = await serve({ documents, tables: '[registration]\nby = ["token"]\n' });
});

after(endAll);

/** A token that registers one client. */
async function initialToken() {
  const proof = client.ClientSecretBasic('the-secret-of-the-installer');
  const url = new URL(castellan.url);
  const config = await client.discovery(url, 'installer', undefined, proof, insecure);
  const tokens = await client.clientCredentialsGrant(config, { scope: 'dcr' });
  return tokens.access_token;
}

const register = (metadata, initialAccessToken, proof) =>
  client.dynamicClientRegistration(new URL(castellan.url), metadata, proof, {
    ...insecure,
    initialAccessToken,
  });

const app = {
  client_name: 'Notes',
  redirect_uris: [BACK],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  scope: 'openid profile',
};

/** Signs a person in with PKCE, and returns the tokens and whether they were asked. */
async function signIn(config) {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: BACK,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const browser = new ScriptedBrowser(castellan.url);
  const { callback, asked } = await browser.signInAndAllow(url, 'ada', PASSWORD);
  const tokens = await client.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  return { tokens, asked };
}

/** A request at the address of the registration, with its token. */
async function manage(config, { registration_client_uri, registration_access_token }, method, body) {
  const headers = new Headers(body && { 'content-type': 'application/json' });
  const text = body && JSON.stringify(body);
  const url = new URL(registration_client_uri);
  return client.fetchProtectedResource(config, registration_access_token, url, method, text, headers);
}

it('registers an app, signs a person in, and manages the registration to its end', async () => {
  const config = await register(app, await initialToken());
  const registered = config.clientMetadata();
  assert.equal(registered.client_name, 'Notes');
  assert.equal(registered.token_endpoint_auth_method, 'client_secret_basic');
  const { tokens, asked } = await signIn(config);
  assert.ok(asked, 'a registered app is not the house\'s own');
  assert.equal(tokens.claims().aud, registered.client_id);
  const person = await client.fetchUserInfo(config, tokens.access_token, 'ada');
  assert.equal(person.name, 'Ada Lovelace');
  assert.ok((await client.refreshTokenGrant(config, tokens.refresh_token)).access_token);

  const read = await (await manage(config, registered, 'GET')).json();
  assert.notEqual(read.client_secret, registered.client_secret);
  const { client_id, client_secret } = read;
  const changed = { ...app, client_id, client_secret, client_name: 'Better notes' };
  const replaced = await (await manage(config, read, 'PUT', changed)).json();
  assert.equal(replaced.client_name, 'Better notes');

  // By its new secret it goes on; by the old one it does not.
  const again = (secret) =>
    client.discovery(new URL(castellan.url), client_id, { ...replaced, client_secret: secret }, undefined, insecure);
  const renewed = await again(replaced.client_secret);
  const { tokens: later } = await signIn(renewed);
  await assert.rejects(signIn(await again(registered.client_secret)));

  const deleted = await manage(renewed, replaced, 'DELETE');
  assert.equal(deleted.status, 204);
  await assert.rejects(client.fetchUserInfo(renewed, later.access_token, 'ada'));
  await assert.rejects(client.refreshTokenGrant(renewed, later.refresh_token));
});

it('registers an app without a secret', async () => {
  const metadata = {
    ...app,
    client_name: 'Notes on a desk',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: [BACK, 'http://127.0.0.1/back'],
  };
  const config = await register(metadata, await initialToken(), client.None());
  assert.equal(config.clientMetadata().client_secret, undefined);
  const { tokens } = await signIn(config);
  assert.equal(tokens.claims().sub, 'ada');
});

it('is told what is wrong', async () => {
  const token = await initialToken();
  const refused = (metadata, initial, error, status) =>
    assert.rejects(register(metadata, initial), (thrown) => {
      assert.equal(thrown.error ?? thrown.cause?.error, error, thrown.stack);
      assert.equal(thrown.status, status);
      return true;
    });
  await refused({ ...app, redirect_uris: ['http://app.test/back'] }, token, 'invalid_redirect_uri', 400);
  await refused({ ...app, scope: 'openid dcr' }, token, 'invalid_client_metadata', 400);
  await register({ ...app, client_name: 'Third' }, token);
  // A challenge is told in the header.
  await assert.rejects(register(app, token));
});
