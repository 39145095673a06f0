"""The layout and style of the sandbox's HTML pages."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #767676; --link: #0c66e4;
  --panel: #8881; }
@media (prefers-color-scheme: dark) { :root { --link: #579dff; --soft: #9a9a9a; } }
* { box-sizing: border-box; }
body { font: 15px/1.6 system-ui, sans-serif; max-width: 64rem; margin: 0 auto;
  padding: 1.5rem; overflow-wrap: anywhere; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
h1, h2, h3, h4, h5, h6 { line-height: 1.3; margin: 1.5rem 0 .5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.35rem; } h3 { font-size: 1.15rem; }
h4 { font-size: 1rem; } h5 { font-size: .9rem; } h6 { font-size: .85rem; }
.description h1 { font-size: 1.3rem; } .description h2 { font-size: 1.2rem; }
.description h3 { font-size: 1.1rem; }
nav, small, dt { color: var(--soft); }
.status { background: var(--panel); border-radius: 4px; font-size: .8rem;
  font-weight: 600; padding: .15rem .5rem; text-transform: uppercase;
  white-space: nowrap; }
.ticket { display: grid; gap: 2.5rem; grid-template-columns: minmax(0, 1fr) 17rem; }
aside { border: 1px solid var(--line); border-radius: 8px; height: fit-content;
  min-width: 0; padding: .75rem 1rem; }
dl { display: grid; gap: .4rem 1rem; margin: 0;
  grid-template-columns: minmax(5rem, auto) minmax(0, 1fr); }
dd, dd > p, td > p, th > p { margin: 0; } aside > h2:first-child { margin-top: 0; }
form { display: flex; flex-wrap: wrap; gap: .35rem; margin-bottom: .5rem; }
button, input, select { font: inherit; font-size: .85rem; min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .45rem .6rem;
  text-align: left; vertical-align: top; }
.scroll td, .scroll th { min-width: 7rem; }
.nowrap { white-space: nowrap; }
pre, .panel { background: var(--panel); border-radius: 6px; overflow: auto;
  padding: .75rem 1rem; }
pre { font-size: .85rem; overflow-wrap: normal; }
.wrap { white-space: pre-wrap; overflow-wrap: anywhere; }
:not(pre) > code { background: var(--panel); border-radius: 4px; padding: .1em .3em; }
blockquote { border-left: 3px solid var(--line); margin-left: 0; padding-left: 1rem; }
.tasks { list-style: none; padding-left: .5rem; }
@media (max-width: 48rem) {
  body { padding: 1rem; }
  .ticket { gap: 1.5rem; grid-template-columns: minmax(0, 1fr); }
}
"""


def render_page(title: str, body: str) -> str:
    """Return a whole page. `body` is HTML, `title` is text."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)} – Jira sandbox</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def render_terms(terms: dict[str, str]) -> str:
    """Return a list of terms with their values, both HTML."""
    rows = "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in terms.items())
    return f"<dl>{rows}</dl>"


def render_table(head: list[str], rows: list[list[str]], css_class: str = "") -> str:
    """Return a table. Its cells are HTML."""
    header = "".join(f"<th>{cell}</th>" for cell in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows
    )
    head_row = f"<tr>{header}</tr>" if head else ""
    return f'<div class="{css_class}"><table>{head_row}{lines}</table></div>'
