"""Tables as the documents have them."""

from collections.abc import Sequence


def show_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown, with an empty line before it."""
    print()
    for row in (heads, ["---"] * len(heads), *rows):
        print("|" + "|".join(f" {cell} " if cell != "---" else cell for cell in row) + "|")
