// An app of somebody else's. It knows the issuer's address (`ISSUER`, from the bundler) and its own
// name, and leaves the rest to `oidc-client-ts`.

import { UserManager } from 'oidc-client-ts';

const manager = new UserManager({
  authority: ISSUER,
  client_id: 'notes',
  redirect_uri: `${location.origin}/callback`,
  post_logout_redirect_uri: `${location.origin}/bye`,
  scope: 'openid profile email offline_access',
  loadUserInfo: true,
});

const output = document.querySelector('output');

/** Does one thing and says what came of it: nothing yet, while the browser is led elsewhere. */
async function act(what) {
  output.textContent = '';
  try {
    output.textContent = JSON.stringify(await what());
  } catch (thrown) {
    const { name, message, error, state } = thrown;
    output.textContent = JSON.stringify({ thrown: { name, message, error, state } });
  }
}

// What the person was doing, and on which page; it has to come back as it was.
const KEPT = { state: { draft: 'Ode & "é"' }, url_state: 'notes/7?a=1&b=é;c' };

const buttons = {
  discover: async () => ({
    metadata: await manager.metadataService.getMetadata(),
    keys: await manager.metadataService.getSigningKeys(),
  }),
  'sign-in': () => manager.signinRedirect({ nonce: crypto.randomUUID(), ...KEPT }),
  // No `url_state`: the issuer's pages cut the popup off, and the library does not recognise what
  // comes from there if it has one.
  'sign-in-popup': () => manager.signinPopup({ nonce: crypto.randomUUID(), state: KEPT.state }),
  renew: () => manager.signinSilent(),
  revoke: () => manager.revokeTokens().then(() => manager.getUser()),
  'sign-out': () => manager.signoutRedirect(KEPT),
  'sign-out-popup': () => manager.signoutPopup().then(() => manager.getUser()),
};
for (const [id, what] of Object.entries(buttons)) {
  document.getElementById(id).onclick = () => act(what);
}

const arrivals = {
  '/callback': () => manager.signinCallback(),
  '/bye': () => manager.signoutCallback(),
};
act(arrivals[location.pathname] ?? (() => manager.getUser()));
