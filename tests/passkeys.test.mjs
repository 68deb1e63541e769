// Passkeys, registered by Chromium's own authenticator, with the calls that the portal of the original
// makes: the mutations, `atob`, `navigator.credentials.create`, `toJSON` and `btoa`.

import { after, before, it } from 'node:test';
import assert from 'node:assert/strict';
import { authenticator, launch } from './chromium.mjs';
import { APIS, GROUPS, PEOPLE, tokenFor } from './management.mjs';
import { endAll, graphql, serve } from './support.mjs';

const START = `mutation ($input: StartVerifyPasskeyByAccountIdInput!) {
  startVerifyPasskeyByAccountId(input: $input) {state credentialOptionsJson}
}`;
const COMPLETE = `mutation ($input: CompleteVerifyPasskeyByAccountIdInput!) {
  completeVerifyPasskeyByAccountId(input: $input) {result}
}`;
const DEVICES = `query ($accountId: String!) {
  accountById(accountId: $accountId) {devices {deviceId alias category {name} details {__typename}}}
}`;

let browser;
let castellan;
let page;
let token;
let authenticatorId;
let protocol;

before(async () => {
  castellan = await serve({ tables: `${GROUPS}\n[passkeys]\n`, documents: PEOPLE });
  token = await tokenFor(castellan, 'admin');
  browser = await launch();
  page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  // A page of the issuer's origin.
  await page.goto(castellan.at('/readyz'));
  ({ protocol, authenticatorId } = await authenticator(page, { answersByItself: true }));
});

after(async () => {
  await browser?.close();
  await endAll();
});

async function ask(query, variables) {
  return (await graphql(castellan.at(APIS.accounts), query, { token, variables })).body;
}

async function start(accountId) {
  const { data } = await ask(START, { input: { accountId, alias: 'My laptop' } });
  return data.startVerifyPasskeyByAccountId;
}

/** What a page makes of the options. */
function created(options) {
  return page.evaluate(async (text) => {
    const { publicKey } = JSON.parse(atob(text));
    const credential = await navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
    });
    return btoa(JSON.stringify(credential.toJSON()));
  }, options);
}

it('a browser registers a passkey, and no second one at the same authenticator', async () => {
  const accountId = 'person-01';
  const { state, credentialOptionsJson } = await start(accountId);
  const credentialResponseJson = await created(credentialOptionsJson);
  const input = { accountId, state, credentialResponseJson };
  const done = await ask(COMPLETE, { input });
  assert.deepEqual(done, { data: { completeVerifyPasskeyByAccountId: { result: true } } });
  const { data } = await ask(DEVICES, { accountId });
  const [device] = data.accountById.devices;
  assert.equal(device.alias, 'My laptop');
  assert.equal(device.category.name, 'webauthn/passkeys');
  assert.equal(device.details.__typename, 'WebAuthnDeviceDetails');
  const { credentials } = await protocol.send('WebAuthn.getCredentials', {
    authenticatorId,
  });
  assert.deepEqual(
    credentials.map((one) => [one.rpId, one.isResidentCredential]),
    [['localhost', true]],
  );
  // `excludeCredentials`: the browser itself refuses.
  const again = await start(accountId);
  await assert.rejects(created(again.credentialOptionsJson), /InvalidStateError/);
  // Nothing that was registered is registered again.
  const refused = await ask(COMPLETE, { input });
  assert.equal(refused.errors[0].extensions.classification, 'DataFetchingException');
});

it('a browser whose user is not verified registers nothing', async () => {
  await protocol.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  const { credentialOptionsJson } = await start('person-02');
  await assert.rejects(created(credentialOptionsJson), /NotAllowedError/);
});
