// What the tests of the management APIs have in common: people, apps and rules.

import assert from 'node:assert/strict';

/** Where each API is. */
export const APIS = {
  accounts: '/admin/graphql/accounts',
  database_clients: '/admin/graphql/database-clients',
  dynamic_clients: '/register/graphql',
  granted_authorizations: '/admin/graphql/granted-authorizations',
};

/** Who may do what. */
export const GROUPS = `
[registration]
by = ["open"]
scopes = ["openid"]

[credential_policy]
maximum_sequence = 4

[management.groups]
scopes = ["accounts"]
[management.groups.rules]
admin = ["create", "read", "update", "delete"]
`;

/** An administrator, eleven people, and apps that they let in. */
export const PEOPLE = [
  person('admin', ', groups: [{value: admin}, {value: administrators}]'),
  ...Array.from({ length: 11 }, (_, at) => person(`person-${String(at + 1).padStart(2, '0')}`)),
  ...['console', 'app-a', 'app-b', 'app-c'].map(app),
].join('\n---\n');

function person(name, more = '') {
  return `{resourceType: User, id: ${name}, userName: ${name}, password: the password of ${name}${more}}`;
}

function app(id) {
  return (
    `{resourceType: Client, id: ${id}, secret: the secret of ${id}, first_party: true, ` +
    'grant_types: [password], scope: [accounts, groups, "Castellan:*"], ' +
    'auth: {password: {token_format: opaque}}}'
  );
}

/** What `client` gets for the person called `name`. */
export async function tokenFor(castellan, name, client = 'console', scope = 'accounts groups') {
  const answer = await fetch(castellan.at('/auth/token'), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      username: name,
      password: `the password of ${name}`,
      client_id: client,
      client_secret: `the secret of ${client}`,
      scope,
    }),
  });
  const body = await answer.json();
  assert.ok(body.access_token, JSON.stringify(body));
  return body.access_token;
}

/** Registers an app of this name, and returns its id. */
export async function register(castellan, name) {
  const body = { client_name: name, redirect_uris: [`https://${name}.test/cb`] };
  const answer = await fetch(castellan.at('/register'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const client = await answer.json();
  if (answer.status !== 201) throw new Error(`${answer.status}: ${JSON.stringify(client)}`);
  return client.client_id;
}
