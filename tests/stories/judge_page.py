"""Reads a trace page as strictly as can be: every tag is closed in order, no element or
attribute runs or fetches anything, every message is JSON. Prints the messages' names."""

import json
import sys
from html.parser import HTMLParser

VOID = {"meta"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section",
    "h1", "h2", "p", "dl", "dt", "dd", "div", "span", "b", "i", "button", "details", "summary",
    "script",
}
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "hidden", "data-close",
    "data-message", "open",
}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.names, self.texts, self.scripts = [], [], [], 0

    def handle_starttag(self, tag, attributes):
        assert tag in ALLOWED, tag
        for name, value in attributes:
            assert name in ATTRIBUTES, name
        attributes = dict(attributes)
        self.scripts += tag == "script"
        if "data-message" in attributes:
            self.names.append(attributes["data-message"])
        if attributes.get("class") == "json":
            self.texts.append("")
        if tag not in VOID:
            self.stack.append((tag, attributes.get("class")))

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1][0] == tag, (tag, self.stack)
        self.stack.pop()

    def handle_data(self, data):
        inside = ("div", "json") in self.stack
        folded = self.stack[self.stack.index(("div", "json")):] if inside else []
        if inside and not any(tag == "summary" for tag, _ in folded):
            self.texts[-1] += data


page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
page.close()
assert page.stack == [], page.stack
assert page.scripts == 1, page.scripts
for text in page.texts:
    json.loads(text)
print(" ".join(page.names))
