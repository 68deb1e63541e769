// Every page in every state, in a real browser: nothing is wider than a small screen, and axe-core
// finds no violation.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import axe from 'axe-core';
import { launch } from './chromium.mjs';
import { endAll, listen, stop } from './support.mjs';

/** The pages, which a test of the server writes. */
const ALBUM = process.env.CASTELLAN_ALBUM;
if (!ALBUM) {
  stop('CASTELLAN_ALBUM is not set: it is the folder that `the_album_can_be_looked_at` wrote.');
}
/** A folder for pictures of the pages; nothing is tested by them. */
const PICTURES = process.env.CASTELLAN_PICTURES;

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
};
// What pages with a script are sent with.
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'; " +
  "frame-ancestors 'none'; form-action 'self'";
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

let browser;
let url;

before(async () => {
  const server = createServer((request, response) => {
    // These would leave the page at once.
    if (/continue|farewell/.test(request.url)) return response.writeHead(204).end();
    response.setHeader('content-security-policy', POLICY);
    response.setHeader('content-type', TYPES[extname(request.url.split('?')[0])] ?? 'image/svg+xml');
    // What a site chose is in no file.
    const own = { '/assets/logo': '/assets/castellan.svg', '/assets/theme.css': '/assets/castellan.css' };
    const { pathname } = new URL(request.url, url);
    return response.end(readFileSync(join(ALBUM, own[pathname] ?? pathname)));
  });
  url = await listen(server);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await endAll();
});

/** The states of all pages in `language`. */
function states(language) {
  const files = readdirSync(join(ALBUM, language)).filter((name) => name.endsWith('.html'));
  assert.ok(files.length > 50, `${files.length} pages in ${language}`);
  return files.map((name) => name.replace('.html', '')).sort();
}

/** Every page in `language`, in one colour scheme and of one width. */
async function* pages(language, { scheme, width }) {
  const context = await browser.newContext({
    colorScheme: scheme,
    viewport: { width, height: 800 },
  });
  const complaints = [];
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  for (const state of states(language)) {
    // What apps load in frames is not there.
    complaints.length = 0;
    await page.goto(new URL(`${language}/${state}.html`, url).href, { waitUntil: 'load' });
    yield [state, page];
    const own = complaints.filter((text) => !/frame|choir\.example/i.test(text));
    assert.deepEqual(own, [], `${language}/${state}`);
    if (PICTURES) {
      const name = `${state}-${language}-${scheme}-${width}.png`;
      await page.screenshot({ path: join(PICTURES, name), fullPage: true });
    }
  }
  await context.close();
}

async function violations(page) {
  await page.evaluate(axe.source);
  const options = { runOnly: RULES, resultTypes: ['violations'] };
  const found = await page.evaluate((given) => globalThis.axe.run(document, given), options);
  return found.violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`,
  );
}

describe('every page', () => {
  for (const language of ['en', 'ca', 'es', 'de', 'fr']) {
    it(`fits a screen of 320 pixels in ${language}`, async () => {
      for await (const [state, page] of pages(language, { scheme: 'light', width: 320 })) {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= 320, `${state} is ${wide} pixels wide`);
        const small = await page.evaluate(() =>
          [...document.querySelectorAll('button, input:not([type="hidden"]), a.second, a.button')]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24)
            .map((one) => one.outerHTML),
        );
        assert.deepEqual(small, [], `${state} has targets that are hard to hit (WCAG 2.5.8)`);
      }
    });
  }

  for (const [language, scheme, width] of [
    ['en', 'light', 1280],
    ['en', 'dark', 320],
    ['de', 'light', 320],
    ['fr', 'dark', 1280],
  ]) {
    it(`has no violation in ${language}, ${scheme}, ${width} pixels wide`, async () => {
      for await (const [state, page] of pages(language, { scheme, width })) {
        assert.deepEqual(await violations(page), [], `${language}/${state}`);
      }
    });
  }
});
