// node-oidc-provider with what the cases need and nothing else: clients and people that Castellan
// has, too, everything in memory, and pages as small as they can be.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const port = Number(process.env.BENCH_PORT);
const secret = process.env.BENCH_SECRET;
const keyFile = process.env.BENCH_KEYS;
const issuer = `http://localhost:${port}`;
const scopes = ['Mutation:Person:Create', 'Query:*'];
const day = 86_400;

/** Keeps everything for ever. The one that comes with the library forgets all but 1,000. */
class Memory {
  static #kept = new Map();
  static #byUid = new Map();
  static #byGrant = new Map();

  constructor(name) {
    this.name = name;
  }

  #key(id) {
    return `${this.name}:${id}`;
  }

  async upsert(id, payload) {
    const key = this.#key(id);
    Memory.#kept.set(key, payload);
    if (payload.uid) Memory.#byUid.set(payload.uid, key);
    if (payload.grantId) {
      const members = Memory.#byGrant.get(payload.grantId);
      if (members) members.push(key);
      else Memory.#byGrant.set(payload.grantId, [key]);
    }
  }

  async find(id) {
    return Memory.#kept.get(this.#key(id));
  }

  async findByUid(uid) {
    return Memory.#kept.get(Memory.#byUid.get(uid));
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    Memory.#kept.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    Memory.#kept.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const key of Memory.#byGrant.get(grantId) ?? []) Memory.#kept.delete(key);
    Memory.#byGrant.delete(grantId);
  }
}

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig' };
}

// Made once and kept, so that a start is measured without the making of keys.
if (!existsSync(keyFile)) {
  const keys = [await signingKey('RS256'), await signingKey('ES256')];
  writeFileSync(keyFile, JSON.stringify({ keys }), { mode: 0o600 });
}

const machine = (id) => ({
  client_id: id,
  client_secret: secret,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: scopes.join(' '),
});

// Which client's tokens are for which API, and so what they look like.
const resources = {
  'machine-opaque': { name: `${issuer}/opaque`, format: 'opaque' },
  'machine-es256': { name: `${issuer}/es256`, format: 'jwt', alg: 'ES256' },
  'machine-rs256': { name: `${issuer}/rs256`, format: 'jwt', alg: 'RS256' },
};

const provider = new Provider(issuer, {
  adapter: Memory,
  clients: [
    ...Object.keys(resources).map(machine),
    {
      client_id: 'app',
      client_secret: secret,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: ['https://app.example/back'],
      scope: 'openid profile email',
    },
  ],
  jwks: JSON.parse(readFileSync(keyFile, 'utf8')),
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: ['openid', 'profile', 'email', ...scopes],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  // As Castellan does it: a refresh token wherever the client may have one, new at each use.
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Ada Lovelace' }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  ttl: {
    AccessToken: 7200,
    AuthorizationCode: 60,
    ClientCredentials: 7200,
    Grant: day,
    IdToken: 600,
    Interaction: 1800,
    RefreshToken: 30 * day,
    Session: day,
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => resources[client.clientId]?.name ?? [],
      getResourceServerInfo: (_, resource) => {
        const { name, format, alg } = Object.values(resources).find((one) => one.name === resource);
        return {
          scope: scopes.join(' '),
          audience: name,
          accessTokenFormat: format,
          ...(alg && { jwt: { sign: { alg } } }),
        };
      },
    },
  },
});

const answer = provider.callback();

function page(response, action, fields) {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(
    `<!doctype html><title>Bench</title><form method="post" action="${action}">${fields}<button>Go</button></form>`,
  );
}

async function read(request) {
  let text = '';
  for await (const part of request) text += part;
  return new URLSearchParams(text);
}

/** What the person has agreed to, made anew for each sign-in. */
async function consent({ prompt, params, session }) {
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims } = prompt.details;
  grant.addOIDCScope((missingOIDCScope ?? params.scope.split(' ')).join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  return { consent: { grantId: await grant.save() } };
}

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  const at = `/interaction/${details.uid}`;
  if (request.method === 'GET') {
    const fields = '<input name="username"><input name="password" type="password">';
    if (details.prompt.name === 'login') return page(response, `${at}/login`, fields);
    return page(response, `${at}/confirm`, '');
  }
  const form = await read(request);
  const result =
    details.prompt.name === 'login'
      ? { login: { accountId: form.get('username') } }
      : await consent(details);
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  interact(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end(String(error));
  });
})
  .on('error', (error) => {
    console.error(error);
    process.exit(1);
  })
  .listen(port, '127.0.0.1');

// Whatever went wrong is told to whoever reads the log.
for (const event of ['server_error', 'grant.error', 'authorization.error']) {
  provider.on(event, (_, error) => console.error(event, error.message, error.error_description));
}
// Who started this holds the other end; when they are gone, so is this.
process.stdin.on('end', () => process.exit(0)).resume();
