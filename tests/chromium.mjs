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

/** Gives `page` an authenticator that verifies its user: what speaks its protocol, and its id. */
export async function authenticator(page, { answersByItself }) {
  const protocol = await page.context().newCDPSession(page);
  await protocol.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: answersByItself,
  };
  const { authenticatorId } = await protocol.send('WebAuthn.addVirtualAuthenticator', { options });
  return { protocol, authenticatorId };
}
