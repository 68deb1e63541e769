// `@health-samurai/aidbox-client`, unmodified: a SMART back end with a key of its own, and Basic.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { endAll, serve } from './support.mjs';

const SECRET = 'a secret of more than twelve characters';

let castellan, aidbox, folder, key;

before(async () => {
  // The package names its own files without their endings, which Node.js does not resolve.
  folder = mkdtempSync(join(tmpdir(), 'castellan-tests-'));
  const outfile = join(folder, 'aidbox-client.cjs');
  await build({
    stdin: { contents: "export * from '@health-samurai/aidbox-client';", resolveDir: import.meta.dirname },
    bundle: true,
    platform: 'node',
    // What it depends on asks for modules of Node.js while it runs.
    format: 'cjs',
    outfile,
    logLevel: 'error',
  });
  aidbox = createRequire(import.meta.url)(outfile);
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' };
  key = await webcrypto.subtle.importKey(
    'jwk',
    pair.privateKey.export({ format: 'jwk' }),
    { name: 'ECDSA', namedCurve: 'P-256' },
    false,
    ['sign'],
  );
  const documents = [
    {
      resourceType: 'Client',
      id: 'backend',
      grant_types: ['client_credentials'],
      scope: ['Castellan:*'],
      jwks: { keys: [jwk] },
    },
    {
      resourceType: 'Client',
      id: 'basic',
      secret: SECRET,
      grant_types: ['client_credentials', 'basic'],
      scope: ['Castellan:User:Read'],
    },
    { resourceType: 'User', id: 'ann', userName: 'ann', email: 'ann@example.test' },
  ];
  castellan = await serve({ documents: documents.map((one) => JSON.stringify(one)).join('\n---\n') });
});
after(async () => {
  await endAll();
  rmSync(folder, { recursive: true, force: true });
});

/** The resource of an answer that must be one. */
function good(result) {
  assert.ok(result.isOk(), JSON.stringify(result.value?.resource));
  return result.value.resource;
}

/** The OperationOutcome of an answer that must be one. */
function refused(result, status) {
  assert.ok(result.isErr(), JSON.stringify(result.value?.resource));
  assert.equal(result.value.response.status, status);
  assert.equal(result.value.resource.resourceType, 'OperationOutcome');
}

describe('a back end with a key of its own', () => {
  let client;

  before(() => {
    const provider = new aidbox.SmartBackendServicesAuthProvider({
      baseUrl: castellan.url,
      clientId: 'backend',
      privateKey: key,
      keyId: 'k1',
      scope: 'Castellan:*',
      allowInsecureRequests: true,
    });
    client = new aidbox.AidboxClient(castellan.url, provider);
  });

  it('creates, reads, changes and deletes a person', async () => {
    const grace = { resourceType: 'User', userName: 'grace', email: 'grace@example.test' };
    const made = good(await client.create({ type: 'User', resource: grace }));
    assert.equal(made.userName, 'grace');
    const { id } = made;
    assert.equal(good(await client.read({ type: 'User', id })).id, id);
    const changed = { ...made, name: { formatted: 'Grace Hopper' } };
    const updated = good(await client.update({ type: 'User', id, resource: changed }));
    assert.equal(updated.name.formatted, 'Grace Hopper');
    const patch = [{ op: 'replace', path: '/name/formatted', value: 'Rear Admiral Hopper' }];
    const patched = good(await client.patch({ type: 'User', id, patch }));
    assert.equal(patched.name.formatted, 'Rear Admiral Hopper');
    const vid = made.meta.versionId;
    assert.equal(good(await client.vread({ type: 'User', id, vid })).name, undefined);
    good(await client.delete({ type: 'User', id }));
    refused(await client.read({ type: 'User', id }), 410);
    refused(await client.read({ type: 'User', id: 'nobody' }), 404);
  });

  it('searches', async () => {
    const query = [['userName', 'ann'], ['_count', '1']];
    const bundle = good(await client.searchType({ type: 'User', query }));
    assert.equal(bundle.type, 'searchset');
    assert.equal(bundle.total, 1);
    assert.equal(bundle.entry[0].resource.id, 'ann');
  });

  it('lists its own session, without a token in it', async () => {
    const query = [['client', 'backend']];
    const bundle = good(await client.searchType({ type: 'Session', query }));
    assert.ok(bundle.entry.length > 0);
    for (const { resource } of bundle.entry) {
      assert.deepEqual(resource.client, { reference: 'Client/backend' });
      assert.equal(resource.access_token, undefined);
    }
  });
});

it('reads by Basic, and may do no more than its client', async () => {
  const provider = new aidbox.BasicAuthProvider(castellan.url, 'basic', SECRET);
  const client = new aidbox.AidboxClient(castellan.url, provider);
  assert.equal(good(await client.read({ type: 'User', id: 'ann' })).userName, 'ann');
  refused(await client.read({ type: 'Client', id: 'basic' }), 403);
  const wrong = new aidbox.BasicAuthProvider(castellan.url, 'basic', 'another');
  refused(await new aidbox.AidboxClient(castellan.url, wrong).read({ type: 'User', id: 'ann' }), 401);
});
