// A client in TypeScript that `@graphql-codegen` makes of what `castellan schema` prints and of the
// documents in `typed/`: strictly type-checked by the compiler, and run against the management APIs.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { APIS, GROUPS, PEOPLE, register, tokenFor } from './management.mjs';
import { endAll, serve } from './support.mjs';

const TOOLS = join(import.meta.dirname, 'node_modules');

let castellan;
let token;
const apps = {};

/** A program of the development dependencies; it must succeed. */
function run(folder, name, ...args) {
  const options = { cwd: folder, encoding: 'utf8', timeout: 240_000 };
  const done = spawnSync(join(TOOLS, '.bin', name), args, options);
  assert.equal(done.status, 0, `${name}: ${done.error ?? ''}${done.stdout}${done.stderr}`);
}

before(async () => {
  castellan = await serve({ tables: GROUPS, documents: PEOPLE });
  token = await tokenFor(castellan, 'admin');
  const folder = join(castellan.folder, 'typed');
  cpSync(join(import.meta.dirname, 'typed'), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  symlinkSync(TOOLS, join(folder, 'node_modules'));
  for (const name of Object.keys(APIS)) {
    writeFileSync(join(folder, `${name}.graphql`), castellan.said('schema', name));
  }
  run(folder, 'graphql-codegen', '--config', 'codegen.ts');
  run(folder, 'tsc', '--project', '.');
  for (const name of Object.keys(APIS)) {
    apps[name] = await import(pathToFileURL(join(folder, 'out', name, 'app.js')));
  }
});

after(endAll);

const api = (name, sent = token) => ({ url: castellan.at(APIS[name]), token: sent });

/** Fails unless `promise` does with this class of error. */
function refused(promise, classification, more = {}) {
  return assert.rejects(promise, (error) => {
    const { status = 200, field } = more;
    assert.deepEqual(
      [error.classification, error.status, error.field],
      [classification, status, field],
      error.message,
    );
    return true;
  });
}

describe('accounts', () => {
  it('are listed page by page, counted, written and deleted', async () => {
    const app = apps.accounts;
    const names = await app.everybody(api('accounts'), 5);
    assert.equal(names.length, 12);
    assert.deepEqual(names, [...names].sort());
    assert.equal(await app.count(api('accounts'), 'person-1'), 2);

    const emails = [{ value: 'ann@example.org', primary: true }];
    const made = await app.create(api('accounts'), { userName: 'ann', emails });
    assert.deepEqual(made.emails, emails);
    assert.ok(Number.isInteger(made.created));
    const fields = { displayName: 'Ann', title: null };
    const changed = await app.update(api('accounts'), made.id, fields);
    assert.deepEqual(changed, { displayName: 'Ann', title: null });
    assert.deepEqual(await app.devices(api('accounts'), made.id), []);
    assert.equal(await app.remove(api('accounts'), made.id), true);
    assert.equal(await app.remove(api('accounts'), made.id), false);
    assert.ok((await app.minimumLength(api('accounts'))) >= 8);
  });

  it('are refused with the class of the error', async () => {
    const app = apps.accounts;
    const taken = app.create(api('accounts'), { userName: 'admin' });
    await refused(taken, 'constraint-violation', { field: 'userName' });
    await refused(app.update(api('accounts'), 'nobody', {}), 'not-found');
    const long = 'x'.repeat(65);
    await refused(app.update(api('accounts'), long, {}), 'ValidationError');
    const password = app.update(api('accounts'), 'person-01', { password: 'abcdefgh1234' });
    await refused(password, 'credential-update-rejected');
    await refused(app.everybody(api('accounts'), 0), 'invalid-argument');
    const stranger = await tokenFor(castellan, 'person-01');
    await refused(app.everybody(api('accounts', stranger), 1), 'access-denied', { status: 403 });
    await refused(app.everybody(api('accounts', 'none'), 1), 'unauthenticated', { status: 401 });
  });
});

describe('database clients', () => {
  it('are created, found and switched off', async () => {
    const app = apps.database_clients;
    for (const number of [1, 2, 3]) {
      const made = await app.create(api('database_clients'), {
        client_id: `typed-${number}`,
        properties: { number },
        capabilities: { client_credentials: {} },
        client_authentication: { primary: { secret: { secret: 'a secret of fifteen letters' } } },
      });
      assert.equal(made.client_id, `typed-${number}`);
      assert.deepEqual(made.properties, { number });
      assert.ok(made.shown && made.shown !== 'a secret of fifteen letters');
    }
    const found = await app.search(api('database_clients'), 'typed', 2);
    assert.deepEqual(found.sort(), ['typed-1', 'typed-2', 'typed-3']);
    const { Inactive } = app.DatabaseClientStatus;
    assert.equal(await app.setStatus(api('database_clients'), 'typed-1', Inactive), 'INACTIVE');
    assert.equal(await app.setStatus(api('database_clients'), 'unknown', Inactive), null);
    assert.deepEqual(await app.search(api('database_clients'), 'typed-1', 2), []);
  });

  it('are refused with the class of the error', async () => {
    const app = apps.database_clients;
    const fields = { client_id: 'console', capabilities: { client_credentials: {} } };
    const secret = { secret: { secret: 'a secret of fifteen letters' } };
    const taken = app.create(api('database_clients'), {
      ...fields,
      client_authentication: { primary: secret },
    });
    await refused(taken, 'constraint-violation', { field: 'client_id' });
    const both = { primary: { ...secret, no_authentication: 'no_auth' } };
    const two = app.create(api('database_clients'), { ...fields, client_authentication: both });
    await refused(two, 'invalid-argument', { field: 'client_authentication.primary' });
  });
});

describe('granted authorizations', () => {
  it('are listed and revoked', async () => {
    const app = apps.granted_authorizations;
    for (const client of ['app-a', 'app-b', 'app-c']) {
      await tokenFor(castellan, 'person-02', client);
    }
    const at = api('granted_authorizations');
    const scopes = ['accounts', 'groups'];
    const expected = { 'app-a': scopes, 'app-b': scopes, 'app-c': scopes };
    assert.deepEqual(await app.apps(at, 'person-02', 2), expected);
    assert.equal(await app.revoke(at, 'person-02'), true);
    assert.deepEqual(await app.apps(at, 'person-02', 2), {});
  });
});

describe('clients that registered themselves', () => {
  it('are listed and change their status', async () => {
    const app = apps.dynamic_clients;
    const expected = {};
    for (const name of ['kite', 'lark', 'merlin']) {
      expected[await register(castellan, name)] = [name, 'active'];
    }
    const at = api('dynamic_clients');
    assert.deepEqual(await app.registered(at, true, 2), expected);
    const [id] = Object.keys(expected);
    assert.equal(await app.setStatus(at, id, 'inactive'), 'inactive');
    assert.deepEqual(await app.registered(at, false, 2), {
      ...expected,
      [id]: [expected[id][0], 'inactive'],
    });
    delete expected[id];
    assert.deepEqual(await app.registered(at, true, 2), expected);
  });
});
