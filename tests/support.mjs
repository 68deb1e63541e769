// Servers for tests: each on a free port, in a folder of its own, and gone when its test is.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const running = new Set();
const folders = new Set();

/** The server's binary, from `CASTELLAN_BINARY`. */
const binary = (() => {
  const given = process.env.CASTELLAN_BINARY;
  if (!given) stop('CASTELLAN_BINARY is not set: give the path of the built `castellan`.');
  try {
    accessSync(given, constants.X_OK);
  } catch {
    stop(`CASTELLAN_BINARY is ${given}, which is no program.`);
  }
  return resolve(given);
})();

/** Ends a test file at once, as failed. */
export function stop(reason) {
  console.error(reason);
  process.exit(1);
}

/** One process with a folder of its own. */
class Running {
  constructor(name, args, { folder, environment = {} }) {
    this.name = name;
    this.folder = folder;
    this.output = '';
    // Nothing of the machine's own settings gets in.
    this.environment = { CASTELLAN_LOG: 'warn', TMPDIR: folder, ...environment };
    this.child = spawn(binary, args, {
      cwd: folder,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.unref();
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.unref();
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
    }
    running.add(this);
  }

  at(path) {
    return `${this.url}${path}`;
  }

  /** What the command line prints on this server's data; it must succeed. */
  said(...args) {
    return command(args, this);
  }

  read(name) {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  hasEnded() {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async end() {
    if (!this.hasEnded()) {
      const ended = once(this.child, 'exit');
      this.child.ref();
      this.child.kill('SIGKILL');
      await ended;
    }
    running.delete(this);
    remove(this.folder);
  }

  /** Waits for `url` to answer as ready. */
  async untilReady(path = '/readyz') {
    const ready = async () => {
      if (this.hasEnded()) throw new Error(`${this.name} has ended:\n${this.output}`);
      const answer = await fetch(this.at(path)).catch(() => undefined);
      if (!answer) return false;
      const text = await answer.text();
      return path !== '/readyz' || (answer.ok && !text.includes('false'));
    };
    try {
      await until(`${this.name} to be ready`, ready);
    } catch (error) {
      error.message += `\n${this.output}`;
      await this.end();
      throw error;
    }
    return this;
  }
}

/** `castellan serve` with `tables` in its file and `documents` in its store. */
export function serve({ tables = '', documents = '', files = {}, environment = {} } = {}) {
  return onFreePort(async (port) => {
    const folder = newFolder();
    const url = `http://localhost:${port}`;
    const head = `issuer = "${url}"\n[server]\nlisten = "127.0.0.1:${port}"\n[security]\ninsecure = true\n`;
    writeFileSync(join(folder, 'castellan.toml'), head + tables);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const place = { folder, environment };
    if (documents) command(['apply', '-f', '-'], place, documents);
    const server = new Running('castellan serve', ['serve', '--config', 'castellan.toml'], place);
    server.url = url;
    return server.untilReady();
  });
}

/** `castellan serve` in an empty folder, with nothing but its address told. */
export function serveFromNothing() {
  return onFreePort((port) => {
    const url = `http://localhost:${port}`;
    const environment = { CASTELLAN__ISSUER: url };
    const args = ['serve', '--listen', `127.0.0.1:${port}`];
    const server = new Running('castellan serve', args, { folder: newFolder(), environment });
    server.url = url;
    return server.untilReady();
  });
}

/** The sample API alone. */
export function archive() {
  return onFreePort((port) => {
    const args = ['archive', '--listen', `127.0.0.1:${port}`];
    const server = new Running('castellan archive', args, { folder: newFolder() });
    server.url = `http://127.0.0.1:${port}`;
    return server.untilReady('/');
  });
}

/** `castellan demo`, and what it printed. */
export function demo() {
  return onFreePort(async (port) => {
    const args = ['demo', '--listen', `127.0.0.1:${port}`];
    const server = new Running('castellan demo', args, { folder: newFolder() });
    server.url = `http://localhost:${port}`;
    await server.untilReady();
    await until('the demo to say what to try', () => server.output.includes('Ctrl-C'));
    const printed = (pattern) => {
      const found = server.output.match(pattern);
      if (!found) throw new Error(`the demo does not print ${pattern}:\n${server.output}`);
      return found[1];
    };
    server.app = printed(/^ *app .* at (http:\S+)$/m);
    server.password = printed(/password: (.+)$/m);
    return server;
  });
}

/** Ends all that this file has started. */
export async function endAll() {
  await Promise.all([...running].map((server) => server.end()));
}

/** Starts a server of Node's on a free port; gives its origin. */
export async function listen(server) {
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const entry = {
    async end() {
      running.delete(entry);
      server.closeAllConnections();
      server.close();
    },
  };
  running.add(entry);
  return `http://127.0.0.1:${server.address().port}`;
}

/** Asks until the answer is not empty, but not for ever. */
export async function until(what, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const answer = await ask();
    if (answer) return answer;
    await pause(25);
  }
  throw new Error(`waited ${seconds} seconds for ${what}`);
}

/** Sends a GraphQL document; gives status, headers and body. */
export async function graphql(url, query, { token, variables, headers = {} } = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Error(`${answer.status}, not JSON: ${text}`);
  }
  return { status: answer.status, headers: answer.headers, body };
}

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'castellan-tests-'));
  folders.add(folder);
  return folder;
}

function remove(folder) {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

function command(args, { folder, environment }, input = '') {
  const env = { CASTELLAN_LOG: 'warn', ...environment };
  const options = { cwd: folder, env, input, encoding: 'utf8' };
  const done = spawnSync(binary, ['--config', 'castellan.toml', ...args], options);
  if (done.status !== 0) throw new Error(`castellan ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

/** Another process may take a port between our look and its use: then another port is tried. */
async function onFreePort(start) {
  for (let left = 3; ; left -= 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (left === 1 || !/cannot listen/.test(error.message)) throw error;
    }
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

// Whatever ends this process ends what it has started.
process.on('exit', () => {
  for (const server of running) server.child?.kill('SIGKILL');
  for (const folder of folders) remove(folder);
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
