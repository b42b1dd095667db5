"""HTML pages, as their readers see them."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page would fetch, the JSON that it carries, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.titles: list[str] = []
        self.words: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        self.fetched += [f"{tag} {n}={v}" for n, v in attrs if n in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        if self._open not in ("script", "style"):
            self.words.append(data)
        if self._open == "h2" and data.strip():
            self.titles.append(data)
