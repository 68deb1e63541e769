// Node's own keep-alive agent: connections that rest for a while carry the next request.

import { after, before, it } from 'node:test';
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { endAll, serve } from './support.mjs';

/** Longer than the ten seconds that a head may take, shorter than `server.keep_alive`. */
const REST = 20_000;

let castellan;

before(async () => {
  castellan = await serve();
});
after(endAll);

/** One request by `agent`; gives the status, and whether its connection had carried one before. */
function ask(agent, { path, method = 'GET', body, headers = {} }) {
  return new Promise((resolve, reject) => {
    const sent = request(castellan.at(path), { agent, method, headers }, (answer) => {
      const port = answer.socket.localPort;
      answer.on('error', reject).on('end', () => {
        resolve({ status: answer.statusCode, port, again: sent.reusedSocket });
      });
      answer.resume();
    });
    sent.on('error', reject).end(body);
  });
}

it('asks again over a connection that has rested for twenty seconds', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const graphql = {
    path: '/api',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ __typename }' }),
  };
  const first = await ask(agent, { path: '/.well-known/openid-configuration' });
  assert.deepEqual([first.status, first.again], [200, false]);
  for (const next of [graphql, { path: '/healthz' }]) {
    await pause(REST);
    assert.deepEqual(await ask(agent, next), { ...first, again: true });
  }
  agent.destroy();
});
