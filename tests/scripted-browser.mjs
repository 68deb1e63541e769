// A browser without a screen: a cookie jar, and pages whose forms are filled in by their fields.

/** Walks the pages of one site, and stops where it is sent elsewhere. */
export class ScriptedBrowser {
  #site;
  #cookies = new Map();

  constructor(site) {
    this.#site = new URL(site).origin;
  }

  open(url) {
    return this.#go(new URL(url, this.#site), { method: 'GET' });
  }

  /** Sends the first form of `page` that has all of `fields`, by the button that says `button`. */
  press(page, button, fields = {}) {
    const fits = (form) =>
      form.buttons.some((one) => one.text === button) &&
      Object.keys(fields).every((name) => form.fields.has(name));
    const form = page.forms.find(fits);
    if (!form) {
      throw new Error(
        `no form with ${Object.keys(fields)} and a button "${button}":\n${page.text}`,
      );
    }
    const values = new URLSearchParams([...form.fields, ...Object.entries(fields)].filter(last));
    const pressed = form.buttons.find((one) => one.text === button);
    if (pressed.name) values.set(pressed.name, pressed.value);
    const target = new URL(form.action, page.url);
    const headers = { origin: this.#site };
    return this.#go(target, { method: form.method, body: values, headers });
  }

  /** Signs in and agrees wherever that is asked; gives where the app's answer leads. */
  async signInAndAllow(url, username, password) {
    const asked = [];
    let page = await this.open(url);
    for (let step = 0; step < 4 && page.forms; step += 1) {
      if (page.forms.some((form) => form.fields.has('password'))) {
        asked.push('password');
        page = await this.press(page, 'Sign in', { username, password });
      } else {
        asked.push('consent');
        page = await this.press(page, 'Allow');
      }
    }
    if (!page.leftFor) throw new Error(`still at ${page.url}:\n${page.text}`);
    return { callback: page.leftFor, asked };
  }

  async #go(url, request) {
    for (let hops = 0; hops < 10; hops += 1) {
      if (url.origin !== this.#site) return { leftFor: url };
      const jar = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await fetch(url, {
        ...request,
        redirect: 'manual',
        headers: { accept: 'text/html', ...(jar && { cookie: jar }), ...request.headers },
      });
      for (const line of answer.headers.getSetCookie()) this.#keep(line);
      const location = answer.headers.get('location');
      const text = await answer.text();
      if (!location)
        return { url, status: answer.status, headers: answer.headers, text, forms: forms(text) };
      url = new URL(location, url);
      request = { method: 'GET' };
    }
    throw new Error(`too many redirects, at ${url}`);
  }

  #keep(line) {
    const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
    if (value === '') this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }
}

/** Of pairs with the same name, the last counts. */
function last([name], at, all) {
  return !all.slice(at + 1).some(([other]) => other === name);
}

function forms(html) {
  return [...html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].map(([, opening, inside]) => {
    const { action, method } = attributes(opening);
    const inputs = [...inside.matchAll(/<input\b([^>]*)>/gs)].map(([, of]) => attributes(of));
    const buttons = [...inside.matchAll(/<button\b([^>]*)>(.*?)<\/button>/gs)];
    return {
      action,
      method: (method ?? 'get').toUpperCase(),
      fields: new Map(inputs.map(({ name, value }) => [name, value ?? ''])),
      buttons: buttons.map(([, of, text]) => ({ ...attributes(of), text: plain(text) })),
    };
  });
}

function attributes(text) {
  const found = text.matchAll(/([\w-]+)="([^"]*)"/g);
  return Object.fromEntries([...found].map(([, name, value]) => [name, decoded(value)]));
}

function plain(html) {
  return decoded(html.replace(/<[^>]*>/g, '')).trim();
}

function decoded(text) {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot));/gi, (_, hex, decimal, name) =>
    name ? named[name] : String.fromCodePoint(parseInt(hex ?? decimal, hex ? 16 : 10)),
  );
}
