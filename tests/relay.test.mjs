// Apps with Relay's compiler and runtime against the management APIs. The compiler reads what
// `castellan schema` prints; `relay/` has the apps and, in `extensions`, what Relay itself answers.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformAsync } from '@babel/core';
import { build } from 'esbuild';
import { endAll, serve } from './support.mjs';
import { APIS, GROUPS, PEOPLE, register, tokenFor } from './management.mjs';

const RELAY = join(import.meta.dirname, 'node_modules/.bin/relay-compiler');

let castellan;
let token;
const apps = {};

before(async () => {
  castellan = await serve({ tables: GROUPS, documents: PEOPLE });
  token = await tokenFor(castellan, 'admin');
  const folder = join(castellan.folder, 'relay');
  cpSync(join(import.meta.dirname, 'relay'), folder, { recursive: true });
  for (const name of Object.keys(APIS)) {
    writeFileSync(join(folder, `${name}.graphql`), castellan.said('schema', name));
  }
  const compiled = spawnSync(RELAY, ['relay.config.json'], { cwd: folder, encoding: 'utf8' });
  assert.equal(compiled.status, 0, compiled.stdout + compiled.stderr);
  for (const name of Object.keys(APIS)) apps[name] = await bundled(folder, name);
});

after(endAll);

/** The app `name`, as a bundler makes it for a browser. */
async function bundled(folder, name) {
  const outfile = join(folder, `${name}.bundle.mjs`);
  const babel = {
    name: 'babel-plugin-relay',
    setup: ({ onLoad }) =>
      onLoad({ filter: /app\.js$/ }, async ({ path }) => {
        const { code } = await transformAsync(readFileSync(path, 'utf8'), {
          babelrc: false,
          configFile: false,
          filename: path,
          plugins: [['relay', { eagerEsModules: true }]],
        });
        return { contents: code };
      }),
  };
  await build({
    entryPoints: [join(folder, name, 'app.js')],
    bundle: true,
    format: 'esm',
    outfile,
    plugins: [babel],
    nodePaths: [join(import.meta.dirname, 'node_modules')],
  });
  return import(pathToFileURL(outfile));
}

const names = (nodes) => nodes.map(({ userName }) => userName);

describe('accounts', () => {
  let app;
  let env;
  const sent = [];

  before(() => {
    app = apps.accounts;
    env = app.environment(castellan.at(APIS.accounts), token, sent);
  });

  it('are paged through to the end', async () => {
    const pages = await new app.Pages(env, app.people, app.peopleQuery, {}).begin();
    assert.equal(pages.nodes.length, 5);
    assert.equal(pages.connection.totalCount, 12);
    const sizes = [5];
    while (pages.hasNext) {
      assert.ok(sizes.length < 9, 'the pages do not end');
      sizes.push((await pages.next(4)).nodes.length);
    }
    assert.deepEqual(sizes, [5, 9, 12]);
    const found = names(pages.nodes);
    assert.deepEqual(found, [...new Set(found)].sort());
    // What the extensions declare is Relay's own.
    assert.ok(!sent.some((text) => /startCursor|hasPreviousPage|cursor\s*\}/.test(text)));
  });

  it('are found by a filter, each with a connection of its own', async () => {
    const filtering = { filterBy: 'userName', filterType: 'STARTS_WITH', filter: 'person-1' };
    const pages = await new app.Pages(env, app.people, app.peopleQuery, { filtering }).begin();
    assert.deepEqual(names(pages.nodes), ['person-10', 'person-11']);
    assert.equal(pages.hasNext, false);
  });

  it('are changed by mutations, and every list shows it', async () => {
    const pages = await new app.Pages(env, app.people, app.peopleQuery, {}).begin();
    const { accountByUserName } = await app.queried(env, app.personQuery, { userName: 'admin' });
    assert.equal(accountByUserName.displayName, null);
    const input = { accountId: 'admin', fields: { displayName: 'Ann' } };
    const { updateAccountById } = await app.mutated(env, app.updateMutation, { input });
    assert.equal(updateAccountById.account.displayName, 'Ann');
    const [first] = pages.nodes;
    assert.deepEqual([first.userName, first.displayName], ['admin', 'Ann']);
  });

  it('are created with devices, shown by the types of unions, and deleted from every list', async () => {
    const fields = {
      userName: 'a-new-one',
      emails: [{ value: 'new@example.org', primary: true }],
    };
    const made = await app.mutated(env, app.createMutation, { input: { fields } });
    const { id, emails } = made.createAccount.account;
    assert.deepEqual(emails, [{ value: 'new@example.org', primary: true }]);
    const expiresAt = 4_102_444_800;
    const device = { deviceId: 'd-1', alias: 'Phone', deviceType: 'totp', expiresAt };
    const input = { accountId: id, deviceFields: device };
    const added = await app.mutated(env, app.addDeviceMutation, { input });
    assert.deepEqual(added.addDeviceToAccountByAccountId.device, { deviceId: 'd-1', expiresAt });

    const pages = await new app.Pages(env, app.people, app.peopleQuery, {}).begin();
    const listed = pages.nodes[0];
    assert.equal(listed.userName, 'a-new-one');
    const { alias, category, details } = listed.devices[0];
    assert.deepEqual([alias, category], ['Phone', { name: 'totp' }]);
    assert.ok(details === null || details.__typename === 'TotpDeviceDetails');
    const resource = await app.queried(env, app.resourceQuery, { accountId: id });
    assert.equal(resource.accountById.__typename, 'Account');
    assert.equal(resource.accountById.meta.resourceType, 'User');

    const gone = await app.mutated(env, app.deleteMutation, { input: { accountId: id } });
    assert.equal(gone.deleteAccountById.deleted, true);
    assert.ok(!names(pages.nodes.filter(Boolean)).includes('a-new-one'));
    const none = await app.queried(env, app.personQuery, { userName: 'a-new-one' });
    assert.equal(none.accountByUserName, null);
  });

  it('have rules for passwords, which implement one interface', async () => {
    const { credentialPolicy } = await app.queried(env, app.rulesQuery);
    const rules = credentialPolicy.credentialUpdateRules;
    const length = rules.find(({ __typename }) => __typename === 'MinimumLengthPasswordRule');
    const sequence = rules.find(({ __typename }) => __typename === 'MaximumSequencePasswordRule');
    assert.ok(length.minimum >= 8 && length.message);
    assert.equal(sequence.maximum, 4);
    assert.equal(sequence.minimum, undefined);
  });

  it('are refused with the class of the error', async () => {
    const input = { fields: { userName: 'admin' } };
    await assert.rejects(app.mutated(env, app.createMutation, { input }), ({ errors }) => {
      const { classification, field } = errors[0].extensions;
      assert.deepEqual([classification, field], ['constraint-violation', 'userName']);
      return true;
    });
  });
});

describe('database clients', () => {
  let app;
  let env;

  before(() => {
    app = apps.database_clients;
    const getDataID = (value) => value.client_id ?? value.id;
    env = app.environment(castellan.at(APIS.database_clients), token, [], { getDataID });
  });

  it('are created with inputs of which one member is set, and paged through', async () => {
    for (const number of [1, 2, 3, 4, 5, 6]) {
      const fields = {
        client_id: `made-${number}`,
        name: `Made ${number}`,
        tags: ['made'],
        properties: { number },
        access_token_ttl: 60,
        capabilities: { client_credentials: { type: 'CLIENT_CREDENTIALS' } },
        client_authentication: { primary: { secret: { secret: `a secret of client ${number}` } } },
      };
      const made = await app.mutated(env, app.createMutation, { input: { fields } });
      assert.equal(made.createDatabaseClient.client.client_id, `made-${number}`);
    }
    const tags = ['made'];
    const pages = await new app.Pages(env, app.clients, app.clientsQuery, { tags }).begin();
    assert.equal(pages.connection.totalCount, 6);
    assert.equal(pages.nodes.length, 5);
    await pages.next(5);
    assert.equal(pages.hasNext, false);
    const expected = [1, 2, 3, 4, 5, 6].map((number) => `Made ${number}`);
    assert.deepEqual(pages.nodes.map(({ name }) => name), expected);

    const input = { client_id: 'made-2', status: 'INACTIVE' };
    const set = await app.mutated(env, app.statusMutation, { input });
    assert.equal(set.setDatabaseClientStatusById.client.status, 'INACTIVE');
    assert.equal(pages.nodes[1].status, 'INACTIVE');
  });

  it('are shown whole, by the types of unions', async () => {
    const { databaseClientById: client } = await app.queried(env, app.clientQuery, { id: 'made-1' });
    assert.deepEqual(client.properties, { number: 1 });
    assert.equal(client.access_token_ttl, 60);
    assert.equal(client.client_authentication.primary.__typename, 'Secret');
    assert.equal(client.capabilities.client_credentials.type, 'CLIENT_CREDENTIALS');
    assert.equal(client.capabilities.code, null);
    assert.ok(!JSON.stringify(client).includes('a secret of client'));
  });

  it('are deleted, and the second time it is an error', async () => {
    const input = { client_id: 'made-3' };
    const done = await app.mutated(env, app.deleteMutation, { input });
    assert.equal(done.deleteDatabaseClientById.deleted, true);
    await assert.rejects(app.mutated(env, app.deleteMutation, { input }), ({ errors }) => {
      assert.equal(errors[0].extensions.classification, 'not-found');
      return true;
    });
  });
});

describe('granted authorizations', () => {
  it('are paged through and revoked', async () => {
    const app = apps.granted_authorizations;
    const clients = ['app-a', 'app-b', 'app-c'];
    for (const client of clients) await tokenFor(castellan, 'person-10', client);
    const env = app.environment(castellan.at(APIS.granted_authorizations), token);
    const owner = 'person-10';
    const pages = await new app.Pages(env, app.granted, app.grantedQuery, { owner }).begin();
    assert.equal(pages.connection.totalCount, 3);
    assert.deepEqual(pages.nodes.map((node) => node.authorizedClient.id), clients.slice(0, 2));
    await pages.next(2);
    assert.equal(pages.hasNext, false);
    assert.deepEqual(pages.nodes.map((node) => node.authorizedClient.id), clients);
    const [node] = pages.nodes;
    assert.deepEqual(node.authorizedScopes.map(({ name }) => name), ['accounts', 'groups']);
    assert.deepEqual([node.owner, node.authorizedClaims], [owner, []]);

    const input = { owner, clientId: 'app-b' };
    const { revokeGrantedAuthorizationsByOwnerAndClient: revoked } = await app.mutated(
      env,
      app.revokeMutation,
      { input },
    );
    assert.deepEqual(revoked, { success: true, asynchronous: false });
    const again = await new app.Pages(env, app.granted, app.grantedQuery, { owner }).begin();
    assert.deepEqual(again.nodes.map((node) => node.authorizedClient.id), ['app-a', 'app-c']);
  });

  it('that a token must not see are refused as a whole', async () => {
    const app = apps.granted_authorizations;
    const other = await tokenFor(castellan, 'person-11');
    const env = app.environment(castellan.at(APIS.granted_authorizations), other);
    await assert.rejects(app.queried(env, app.grantedQuery, { owner: 'admin' }), /^Error: 403: /);
  });
});

describe('clients that registered themselves', () => {
  it('are paged through and change their status', async () => {
    const app = apps.dynamic_clients;
    const ids = [];
    for (const name of ['kite', 'lark', 'merlin']) ids.push(await register(castellan, name));
    const getDataID = (value) => value.client_id ?? value.id;
    const env = app.environment(castellan.at(APIS.dynamic_clients), token, [], { getDataID });
    const active = true;
    const list = () => new app.Pages(env, app.registered, app.registeredQuery, { active }).begin();
    const pages = await list();
    assert.equal(pages.connection.totalCount, 3);
    await pages.next(2);
    assert.equal(pages.hasNext, false);
    assert.deepEqual(pages.nodes.map((node) => node.client_id).sort(), [...ids].sort());
    const lark = pages.nodes.find((node) => node.client_name === 'lark');
    assert.deepEqual([lark.redirect_uris, lark.status], [['https://lark.test/cb'], 'active']);

    const input = { client_id: lark.client_id, status: 'inactive' };
    const done = await app.mutated(env, app.statusMutation, { input });
    assert.equal(done.setDynamicallyRegisteredClientStatusById.client.status, 'inactive');
    assert.deepEqual((await list()).connection.totalCount, 2);
  });
});
