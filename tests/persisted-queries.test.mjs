// Automatic persisted queries by clients of other makes: the gate keeps no documents, so the first
// step, a hash alone, must be answered so that the document follows.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { archive, endAll, serve } from './support.mjs';

const query = gql`
  query People($name: String!) {
    personBySubstring(substring: $name) {
      name
    }
  }
`;
const mutation = gql`
  mutation Add($name: String!) {
    CreatePerson(name: $name) {
      name
    }
  }
`;

let url;

before(async () => {
  const { url: upstream } = await archive();
  const tables = `
[[guard]]
name = "archive"
path = "/archive"
upstream = "${upstream}/"
public = ["Query:*", "Mutation:Person:*"]
`;
  url = (await serve({ tables })).at('/archive');
});
after(endAll);

/** A `fetch` that tells what was sent: the method, and whether it was the hash, the document or both. */
function watched() {
  const sent = [];
  const watch = async (to, options = {}) => {
    const { method = 'GET', body } = options;
    const parameters = new URL(to).searchParams;
    const asked = body
      ? JSON.parse(body)
      : { query: parameters.get('query'), extensions: JSON.parse(parameters.get('extensions')) };
    const hash = asked.extensions?.persistedQuery?.sha256Hash;
    const answer = await fetch(to, options);
    const parts = [hash && 'hash', asked.query && 'document'].filter(Boolean);
    sent.push(`${method} ${parts.join(' and ')}: ${answer.status}`);
    return answer;
  };
  return { sent, fetch: watch };
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function apollo(options) {
  const { sent, fetch } = watched();
  const link = new PersistedQueryLink({ sha256, ...options }).concat(new HttpLink({ uri: url, fetch }));
  const defaults = { fetchPolicy: 'no-cache' };
  const defaultOptions = { query: defaults, mutate: defaults };
  return { sent, client: new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions }) };
}

function urql(options) {
  const { sent, fetch } = watched();
  const exchanges = [persistedExchange(options), fetchExchange];
  const settings = { url, fetch, exchanges, requestPolicy: 'network-only' };
  return { sent, client: new Client(settings) };
}

describe("Apollo Client's persisted-query link", () => {
  it('sends the document by POST once it has heard that hashes are not known here', async () => {
    const { sent, client } = apollo();
    for (const name of ['Ada', 'Grace']) {
      const { data } = await client.query({ query, variables: { name } });
      assert.ok(Array.isArray(data.personBySubstring), name);
    }
    assert.equal(sent[0], 'POST hash: 200');
    assert.deepEqual(new Set(sent.slice(1)), new Set(['POST document: 200']));
    assert.equal(sent.length, 3);
    const { data } = await client.mutate({ mutation, variables: { name: 'Ada' } });
    assert.equal(data.CreatePerson.name, 'Ada');
  });

  it('sends the hash by GET and then the document', async () => {
    const { sent, client } = apollo({ useGETForHashedQueries: true });
    const { data } = await client.query({ query, variables: { name: 'a' } });
    assert.ok(data.personBySubstring.length > 0);
    assert.deepEqual(sent, ['GET hash: 200', 'POST document: 200']);
  });

  it('sends the hash with the document where it goes on with hashes', async () => {
    const { sent, client } = apollo({ disable: () => false });
    for (let time = 0; time < 2; time += 1) {
      const { data } = await client.query({ query, variables: { name: 'a' } });
      assert.ok(data.personBySubstring.length > 0);
    }
    assert.deepEqual(sent, [
      'POST hash: 200',
      'POST hash and document: 200',
      'POST hash: 200',
      'POST hash and document: 200',
    ]);
  });
});

describe("urql's persisted exchange", () => {
  for (const method of ['POST', 'GET']) {
    it(`sends the hash by ${method} and then the document`, async () => {
      const { sent, client } = urql({ preferGetForPersistedQueries: method === 'GET' });
      const { data, error } = await client.query(query, { name: 'a' }).toPromise();
      assert.equal(error, undefined);
      assert.ok(data.personBySubstring.length > 0);
      assert.deepEqual(sent, [`${method} hash: 200`, `${method} document: 200`]);
    });
  }

  it('runs a mutation', async () => {
    const { sent, client } = urql({ enableForMutation: true });
    const { data, error } = await client.mutation(mutation, { name: 'Grace' }).toPromise();
    assert.equal(error, undefined);
    assert.equal(data.CreatePerson.name, 'Grace');
    assert.deepEqual(sent, ['POST hash: 200', 'POST document: 200']);
  });
});
