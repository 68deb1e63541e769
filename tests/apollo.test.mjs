// A page with Apollo Client in a real browser, as the TROMPA document has it: anybody reads the
// archive through the gate, and writes take a token.

import { after, before, it } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { build } from 'esbuild';
import { launch } from './chromium.mjs';
import { archive, endAll, listen, serve } from './support.mjs';

const KEYS = [{ id: 'persons', apiKey: 'k-persons', scopes: ['Mutation:Person:*'] }];

let browser;
let page;
let server;

/** The page and its script, from an origin that is not the server's. */
async function site() {
  const { outputFiles } = await build({
    entryPoints: ['apollo-page.js'],
    absWorkingDir: import.meta.dirname,
    bundle: true,
    format: 'iife',
    write: false,
    alias: {
      'apollo-client': '@apollo/client',
      'apollo-link-http': '@apollo/client',
      'apollo-link-context': '@apollo/client/link/context',
      'apollo-cache-inmemory': '@apollo/client',
    },
  });
  const script = outputFiles[0].text;
  const html = `<!doctype html><title>People</title><link rel="icon" href="data:,">
    <input><button id="read">Read</button><button id="write">Create</button><output></output>
    <script src="/page.js"></script><base href="${server.url}/">`;
  return listen(
    createServer((request, response) => {
      const isScript = request.url === '/page.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? script : html);
    }),
  );
}

before(async () => {
  const api = await archive();
  const guard = `[[guard]]\nname = "archive"\npath = "/graphql"\ndialect = "trompa"\nupstream = "${api.url}/"\n`;
  const environment = { JWT_SECRET: 'not-so-secret', JWT_AUTH_KEYS: JSON.stringify(KEYS) };
  server = await serve({ tables: guard, environment });
  browser = await launch();
  page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${await site()}/`);
});

after(async () => {
  await browser?.close();
  await endAll();
});

/** Presses a button with `name` in the field; gives what the page says then. */
async function press(button, name) {
  await page.fill('input', name);
  await page.click(button);
  await page.waitForFunction(() => !['', '…'].includes(document.querySelector('output').value));
  return page.$eval('output', (output) => output.value);
}

async function trade(scopes) {
  const answer = await fetch(server.at('/jwt'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'persons', apiKey: 'k-persons', scopes }),
  });
  return (await answer.json()).jwt;
}

it('reads without a token', async () => {
  const said = JSON.parse(await press('#read', 'Clara Schumann'));
  assert.equal(said.Person[0].name, 'Clara Schumann');
});

it('is told why it may not write', async () => {
  assert.equal(await press('#write', 'Nobody'), 'No authorization token.');
  await page.evaluate(() => localStorage.setItem('token', 'garbage'));
  assert.equal(await press('#write', 'Nobody'), 'You are not authorized for this resource');
  const narrow = await trade(['Mutation:Person:Delete']);
  await page.evaluate((token) => localStorage.setItem('token', token), narrow);
  assert.equal(await press('#write', 'Nobody'), 'You are not authorized for this resource');
  assert.deepEqual(JSON.parse(await press('#read', 'Nobody')), { Person: [] });
});

it('writes with a token, and reads what it wrote', async () => {
  const token = await trade(['Mutation:Person:Create']);
  await page.evaluate((token) => localStorage.setItem('token', token), token);
  const written = JSON.parse(await press('#write', 'Fanny Hensel (new)')).CreatePerson;
  assert.equal(written.name, 'Fanny Hensel (new)');
  const read = JSON.parse(await press('#read', 'Fanny Hensel (new)')).Person;
  assert.deepEqual(read.map((one) => one.identifier), [written.identifier]);
});
