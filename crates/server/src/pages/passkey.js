// Signs in by a passkey, or makes one. Without scripts, its forms stay hidden.
const form = document.querySelector("form.passkey");
if (form && window.PublicKeyCredential && navigator.credentials) {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");
  const publicKey = JSON.parse(form.dataset.options);
  publicKey.challenge = bytes(publicKey.challenge);
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    for (const one of publicKey[list] ?? []) one.id = bytes(one.id);
  }
  const makes = Boolean(publicKey.user);
  if (makes) publicKey.user.id = bytes(publicKey.user.id);

  // What the server reads: RegistrationResponseJSON or AuthenticationResponseJSON.
  const told = ({ id, rawId, type, response, authenticatorAttachment }) => {
    const parts = { clientDataJSON: text(response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[name]) parts[name] = text(response[name]);
    }
    if (response.getTransports) parts.transports = response.getTransports();
    return JSON.stringify({
      id,
      rawId: text(rawId),
      type,
      response: parts,
      authenticatorAttachment,
      clientExtensionResults: {},
    });
  };

  let asking = new AbortController();
  const ask = async (mediation) => {
    asking.abort();
    asking = new AbortController();
    const options = { publicKey, signal: asking.signal };
    if (mediation) options.mediation = mediation;
    try {
      const credential = await navigator.credentials[makes ? "create" : "get"](options);
      form.elements.response.value = told(credential);
      form.submit();
    } catch (error) {
      // Whoever changes their mind stays where they are.
      if (error.name === "AbortError" || error.name === "NotAllowedError") return;
      form.elements.response.value = "";
      form.querySelector(".passkey-failed").hidden = false;
    }
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.reportValidity()) ask();
  });
  // Passkeys among what the browser offers to fill into the name, but for one that was just refused.
  const refused = document.getElementById("problem");
  if (!makes && !refused && document.querySelector('input[autocomplete~="webauthn"]')) {
    PublicKeyCredential.isConditionalMediationAvailable?.().then((available) => {
      if (available) ask("conditional");
    });
  }
}
