// A GraphQL server of another make behind a guard without a dialect, its schema found by
// introspection.

import { after, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { GraphQLError } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { endAll, graphql, listen, serve, until } from './support.mjs';

const typeDefs = `
  type Query {
    books(first: Int = 10): [Book!]!
    book(id: ID!): Book
    found(by: By, shelf: String @deprecated(reason: "there is one")): [Book!]
    notes: [Note!]
    mishap: Book
  }
  type Mutation {
    createBook(title: String!): Book
    deleteBook(id: ID!): Boolean
  }
  type Subscription { bookAdded: Book }
  input By @oneOf { id: ID, title: String, name: String @deprecated }
  "Something to read."
  type Book { id: ID! title: String! ratings: [Float!] }
  type Note { text: String! }
`;

const tables = (upstream) => `
[[guard]]
name = "library"
path = "/library"
upstream = "${upstream}/graphql"
public = ["Query:Book:*"]

[[guard]]
name = "closed"
path = "/closed"
upstream = "${upstream}/graphql"
upstream_id = "the-library"
`;

const documents = `
resourceType: Client
id: cataloguer
secret: secret-of-the-cataloguer
grant_types: [client_credentials]
scope: ["Mutation:Book:Create"]
---
resourceType: Client
id: librarian
secret: secret-of-the-librarian
grant_types: [client_credentials]
scope: ["Mutation:Book:*", "Query:Note:*", "Subscription:*", "api:read"]
`;

/** A library that lets in only who comes through the gate. */
class Library {
  books = [{ id: '1', title: 'Notes on the Engine' }];
  requests = 0;
  /** Fields that ran, each with its headers and the identity it came with. */
  seen = [];
  audience;

  async start() {
    const yoga = createYoga({ schema: this.schema(), logging: false, batching: { limit: 5 } });
    const counted = (request, response) => {
      this.requests += 1;
      return yoga(request, response);
    };
    this.url = await listen(createServer(counted));
  }

  trust(castellan) {
    this.issuer = castellan.url;
    this.keys = createRemoteJWKSet(
      new URL(castellan.at('/.well-known/castellan-identity-jwks.json')),
    );
  }

  async enter({ request }, guard) {
    const token = request.headers.get('castellan-identity') ?? '';
    const { payload } = await jwtVerify(token, this.keys, {
      algorithms: ['ES256'],
      typ: 'castellan-identity+jwt',
      issuer: ['library', 'closed'].map((name) => `${this.issuer}/guard/${name}`),
      audience: [this.url, 'the-library'],
      requiredClaims: ['sub', 'kind', 'scope', 'exp', 'iat'],
      maxTokenAge: '60s',
    }).catch((error) => {
      throw new GraphQLError(`not through the gate: ${error.message}`);
    });
    this.seen.push({ identity: payload, headers: request.headers });
    return payload;
  }

  schema() {
    const inside = (resolve) => async (_, args, context) => {
      await this.enter(context);
      return resolve(args);
    };
    return createSchema({
      typeDefs,
      resolvers: {
        Query: {
          books: inside(({ first }) => this.books.slice(0, first)),
          book: inside(({ id }) => this.books.find((book) => book.id === id)),
          found: inside(({ by = {} }) => {
            const same = ([name, value]) => (book) => book[name] === value;
            return this.books.filter(same(Object.entries(by)[0] ?? []));
          }),
          notes: inside(() => [{ text: 'for the staff' }]),
          mishap: inside(() => {
            throw new GraphQLError('the shelf fell', { extensions: { code: 'SHELF' } });
          }),
        },
        Mutation: {
          createBook: inside(({ title }) => {
            const book = { id: String(this.books.length + 1), title };
            this.books.push(book);
            return book;
          }),
          deleteBook: inside(({ id }) => {
            const before = this.books.length;
            this.books = this.books.filter((book) => book.id !== id);
            return this.books.length < before;
          }),
        },
        Subscription: {
          bookAdded: { subscribe: inside(async function* () {}), resolve: (book) => book },
        },
      },
    });
  }
}

describe('a library behind the gate', () => {
  const library = new Library();
  let castellan;

  before(async () => {
    await library.start();
    castellan = await serve({ tables: tables(library.url), documents });
    library.trust(castellan);
  });

  beforeEach(() => {
    library.requests = 0;
    library.seen = [];
  });

  after(endAll);

  const ask = (query, more) => graphql(castellan.at('/library'), query, more);

  async function tokenOf(client, scope) {
    const answer = await fetch(castellan.at('/auth/token'), {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client}:secret-of-the-${client}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) }),
    });
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body.access_token;
  }

  function nothingWasAsked() {
    assert.equal(library.requests, 0);
  }

  it('cannot be entered past the gate', async () => {
    const { body } = await graphql(`${library.url}/graphql`, '{ books { title } }');
    assert.equal(body.data, null);
    assert.match(body.errors[0].message, /^not through the gate/);
  });

  it('has its demands computed from what it says of itself', () => {
    const lock = castellan.read('library.lock');
    for (const demand of [
      'Query:Book:List',
      'Query:Book:Get',
      'Query:Note:List',
      'Mutation:Book:Create',
      'Mutation:Book:Delete',
    ]) {
      assert.ok(lock.includes(demand), `${demand} is not in\n${lock}`);
    }
  });

  it('lets anybody read what is public', async () => {
    const { status, body } = await ask(
      'query ($n: Int) { books(first: $n) { __typename id title } }',
      {
        variables: { n: 1 },
      },
    );
    assert.equal(status, 200);
    const book = { __typename: 'Book', id: '1', title: 'Notes on the Engine' };
    assert.deepEqual(body, { data: { books: [book] } });
  });

  it('lets anybody read by GET', async () => {
    const query = new URLSearchParams({ query: '{ book(id: 1) { title } }' });
    const answer = await fetch(castellan.at(`/library?${query}`));
    assert.deepEqual(await answer.json(), { data: { book: { title: 'Notes on the Engine' } } });
  });

  it('gives null and an error for what is not public, and the rest', async () => {
    const { status, body } = await ask('{ notes { text } books { id } }');
    assert.equal(status, 200);
    assert.equal(body.data.notes, null);
    assert.deepEqual(body.data.books, [{ id: '1' }]);
    assert.equal(body.errors.length, 1);
    assert.deepEqual(body.errors[0].path, ['notes']);
    assert.equal(body.errors[0].extensions.code, 'UNAUTHENTICATED');
  });

  it('is public only where that is said', async () => {
    const { body } = await graphql(castellan.at('/closed'), '{ book(id: 1) { id } }');
    assert.deepEqual(body.data, { book: null });
    nothingWasAsked();
    const token = await tokenOf('librarian', 'api:read');
    const { body: shown } = await graphql(castellan.at('/closed'), '{ book(id: 1) { id } }', {
      token,
    });
    assert.deepEqual(shown, { data: { book: { id: '1' } } });
    assert.equal(library.seen[0].identity.aud, 'the-library');
    assert.equal(library.seen[0].identity.iss, castellan.at('/guard/closed'));
  });

  it('refuses a write from nobody', async () => {
    const { status, body } = await ask('mutation { createBook(title: "x") { id } }');
    assert.equal(status, 200);
    assert.equal(body.data, null);
    assert.deepEqual(body.errors[0].path, ['createBook']);
    assert.equal(body.errors[0].extensions.code, 'UNAUTHENTICATED');
    nothingWasAsked();
  });

  it('refuses all of a write of which a part is denied', async () => {
    const token = await tokenOf('cataloguer');
    const query = 'mutation { createBook(title: "x") { id } gone: deleteBook(id: 1) }';
    const { status, body } = await ask(query, { token });
    assert.equal(status, 200);
    assert.equal(body.data, null);
    assert.deepEqual(
      body.errors.map((error) => error.path),
      [['gone']],
    );
    assert.equal(body.errors[0].extensions.code, 'FORBIDDEN');
    nothingWasAsked();
    assert.equal(library.books.length, 1);
  });

  it('lets a client write what its token covers', async () => {
    const token = await tokenOf('cataloguer', 'Mutation:Book:Create');
    const query = 'mutation ($title: String!) { createBook(title: $title) { id title } }';
    const { body } = await ask(query, { token, variables: { title: 'Sketch "…" \u{1F4D6}' } });
    assert.deepEqual(body, { data: { createBook: { id: '2', title: 'Sketch "…" \u{1F4D6}' } } });
    const other = await ask('mutation { deleteBook(id: 2) }', {
      token: await tokenOf('librarian'),
    });
    assert.deepEqual(other.body, { data: { deleteBook: true } });
  });

  it('holds a token to less than its client may do', async () => {
    const token = await tokenOf('librarian', 'Mutation:Book:Delete');
    const { body } = await ask('mutation { createBook(title: "x") { id } }', { token });
    assert.equal(body.data, null);
    assert.equal(body.errors[0].extensions.code, 'FORBIDDEN');
    nothingWasAsked();
  });

  it('can tell why a write was refused', async () => {
    const { body } = await ask('mutation { deleteBook(id: 1) }');
    const { decision } = body.errors[0].extensions;
    // Denials are kept a moment after they are answered.
    const why = await until('the denial to be kept', () => {
      try {
        return castellan.said('explain', decision);
      } catch {
        return '';
      }
    });
    assert.match(why, /Mutation:Book:Delete/);
  });

  it('is told who calls, be it nobody', async () => {
    await ask('{ books { id } }');
    const { identity } = library.seen[0];
    assert.equal(identity.kind, 'anonymous');
    assert.equal(identity.sub, 'anonymous');
    assert.equal(identity.scope, '');
    assert.equal(identity.aud, library.url);
    assert.ok(identity.exp - identity.iat <= 60);
  });

  it('is told which client calls, and with what', async () => {
    await ask('{ books { id } }', { token: await tokenOf('cataloguer') });
    const { identity } = library.seen[0];
    assert.equal(identity.sub, 'cataloguer');
    assert.equal(identity.client_id, 'cataloguer');
    assert.equal(identity.kind, 'access_token');
    assert.equal(identity.scope, 'Mutation:Book:Create');
  });

  it('sees neither credentials nor what callers say they are', async () => {
    await ask('{ books { id } }', {
      token: await tokenOf('cataloguer'),
      headers: {
        cookie: 'ASID=x',
        'castellan-identity': 'forged',
        castellan_identity: 'forged',
        'x-forwarded-for': '10.0.0.1',
        'x-request-id': 'kept',
      },
    });
    const [{ headers, identity }] = library.seen;
    assert.equal(identity.sub, 'cataloguer');
    for (const name of ['authorization', 'cookie', 'castellan_identity', 'x-forwarded-for']) {
      assert.equal(headers.get(name), null, name);
    }
    assert.equal(headers.get('x-request-id'), 'kept');
  });

  it('is passed on as it answers, errors included', async () => {
    const { status, body } = await ask('{ mishap { id } books { ratings } }');
    assert.equal(status, 200);
    assert.deepEqual(body.data, { mishap: null, books: [{ ratings: null }] });
    assert.equal(body.errors[0].message, 'the shelf fell');
    assert.equal(body.errors[0].extensions.code, 'SHELF');
  });

  it('is not asked what its schema does not have', async () => {
    const { status, body } = await ask('{ books { isbn } }');
    assert.equal(status, 400);
    assert.ok(!('data' in body));
    nothingWasAsked();
  });

  it('takes what only newer introspection tells of', async () => {
    const query = 'query ($by: By) { found(by: $by, shelf: "A") { title } }';
    const { body } = await ask(query, { variables: { by: { id: '1' } } });
    assert.deepEqual(body.data, { found: [{ title: 'Notes on the Engine' }] });
    const both = await ask(query, { variables: { by: { id: '1', title: 'x' } } });
    assert.match(both.body.errors[0].message, /Exactly one key/);
    const sdl = castellan.read('library.schema.graphql');
    assert.match(sdl, /input By @oneOf/);
    assert.match(sdl, /name: String @deprecated/);
  });

  it('shows its schema without being asked', async () => {
    const { body } = await ask('{ __type(name: "Book") { description fields { name } } }');
    assert.equal(body.data.__type.description, 'Something to read.');
    assert.deepEqual(
      body.data.__type.fields.map((field) => field.name),
      ['id', 'title', 'ratings'],
    );
    nothingWasAsked();
  });

  for (const accept of ['text/event-stream', 'multipart/mixed', 'application/json', '*/*']) {
    it(`is not subscribed to, asked for ${accept}`, async () => {
      const token = await tokenOf('librarian');
      const answer = await fetch(castellan.at('/library'), {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept, authorization: `Bearer ${token}` },
        body: JSON.stringify({ query: 'subscription { bookAdded { id } }' }),
      });
      const body = await answer.json();
      assert.ok(!body.data, JSON.stringify(body));
      assert.ok(body.errors.length > 0);
      if (accept !== 'application/json') assert.ok(answer.status >= 400 && answer.status < 500);
      nothingWasAsked();
    });
  }

  it('is not subscribed to by GET', async () => {
    const query = new URLSearchParams({ query: 'subscription { bookAdded { id } }' });
    const answer = await fetch(castellan.at(`/library?${query}`));
    assert.ok([400, 405].includes(answer.status), String(answer.status));
    nothingWasAsked();
  });

  it('is not written to by GET', async () => {
    const query = new URLSearchParams({ query: 'mutation { createBook(title: "x") { id } }' });
    const headers = { authorization: `Bearer ${await tokenOf('cataloguer')}` };
    const answer = await fetch(castellan.at(`/library?${query}`), { headers });
    assert.equal(answer.status, 405);
    nothingWasAsked();
  });

  it('gets no batches', async () => {
    const answer = await fetch(castellan.at('/library'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([{ query: '{ books { id } }' }, { query: '{ books { id } }' }]),
    });
    assert.equal(answer.status, 400);
    const { errors } = await answer.json();
    assert.match(errors[0].message, /Batching/);
    nothingWasAsked();
  });

  it('gets nothing in forms', async () => {
    for (const body of [
      new URLSearchParams({ query: '{ books { id } }' }),
      new FormData(),
      '{ books { id } }',
    ]) {
      const answer = await fetch(castellan.at('/library'), { method: 'POST', body });
      assert.equal(answer.status, 415);
    }
    nothingWasAsked();
  });
});
