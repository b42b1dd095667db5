"""Tables in Markdown."""


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*titles: str) -> list[str]:
    return [row(*titles), row(*["---"] * len(titles))]


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
