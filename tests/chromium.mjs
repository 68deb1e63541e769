// A real browser: Chromium without a screen.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { stop } from './support.mjs';

const CHROMIUM = process.env.CASTELLAN_CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(CHROMIUM)) stop('NOT RUN: chromium is missing');

/** Starts it, with nothing of its own on the network. */
export function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    timeout: 60_000,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
