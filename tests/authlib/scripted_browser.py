"""A browser without a screen: a cookie jar, and pages whose forms are filled in by their fields."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests


class Form:
    """One form of a page: where it goes, what it sends, and by which buttons."""

    def __init__(self, attributes):
        self.action = attributes.get("action", "")
        self.method = attributes.get("method", "get").upper()
        self.fields = {}
        self.buttons = []


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.form = self.button = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.form = Form(attributes)
            self.found.append(self.form)
        elif tag == "input" and self.form and "name" in attributes:
            self.form.fields[attributes["name"]] = attributes.get("value") or ""
        elif tag == "button" and self.form:
            self.button = {**attributes, "text": ""}
            self.form.buttons.append(self.button)

    def handle_data(self, text):
        if self.button is not None:
            self.button["text"] += text

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        elif tag == "button":
            self.button = None


class Page:
    """A page of the site, or the address at which the site was left."""

    def __init__(self, url, text="", left=False):
        self.left_for = url if left else None
        self.url = url
        self.text = text
        self.forms = [] if left else Forms(text).found


class ScriptedBrowser:
    """Walks the pages of one site, and stops where it is sent elsewhere."""

    def __init__(self, site):
        self.site = site
        self.session = requests.Session()
        self.session.headers["accept"] = "text/html"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    def open(self, url):
        return self._go("GET", url)

    def press(self, page, button, **fields):
        """Sends the first form of `page` that has all of `fields`, by its button `button`."""
        for form in page.forms:
            pressed = [one for one in form.buttons if one["text"].strip() == button]
            if pressed and fields.keys() <= form.fields.keys():
                break
        else:
            raise AssertionError(f"no form with {[*fields]} and “{button}”:\n{page.text}")
        values = {**form.fields, **fields}
        if "name" in pressed[0]:
            values[pressed[0]["name"]] = pressed[0].get("value", "")
        sent = {"params" if form.method == "GET" else "data": values}
        headers = {"origin": self.site}
        return self._go(form.method, urljoin(page.url, form.action), headers=headers, **sent)

    def sign_in_and_allow(self, url, username, password):
        """Signs in and agrees wherever that is asked; gives where the app's answer leads."""
        page = self.open(url)
        for _ in range(4):
            if page.left_for:
                return page.left_for
            if any("password" in form.fields for form in page.forms):
                page = self.press(page, "Sign in", username=username, password=password)
            else:
                page = self.press(page, "Allow")
        raise AssertionError(f"still at {page.url}:\n{page.text}")

    def _go(self, method, url, **request):
        for _ in range(10):
            if origin(url) != origin(self.site):
                return Page(url, left=True)
            answer = self.session.request(
                method, url, allow_redirects=False, timeout=30, **request
            )
            if "location" not in answer.headers:
                return Page(url, answer.text)
            method, url, request = "GET", urljoin(url, answer.headers["location"]), {}
        raise AssertionError(f"too many redirects, at {url}")


def origin(url):
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
