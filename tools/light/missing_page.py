"""The page that a host shows for an address that does not exist."""

from urllib.parse import urlsplit

PAGE = """\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1.0" />
    <meta name="robots" content="noindex" />
    <base href="{base}" />
    <title>No such page</title>
    <link rel="icon" href="_static/logo.svg" />
    <style>
      body {{ font: 1.1rem/1.6 system-ui, sans-serif; margin: 15vh auto; max-width: 36rem; padding: 0 1rem; }}
      @media (prefers-color-scheme: dark) {{ body {{ background: #14181e; color: #ced6dd; }} a {{ color: #8ec0ff; }} }}
    </style>
  </head>
  <body>
    <main>
      <h1>No such page</h1>
      <p>There is nothing at this address. Perhaps a page was renamed.</p>
      <p><a href="book/index.html">The table of contents</a> has every page; <a href="search.html">the search</a> looks
      through them.</p>
    </main>
  </body>
</html>
"""


def write_missing_page(folder, address):
    """Write ``404.html``; the host shows it at any depth, so that its links start from the site's address.

    Parameters
    ----------
    folder : Path
        The built site.
    address : str
        The site's address; empty as long as it is not known.
    """
    base = urlsplit(address).path or "/"
    (folder / "404.html").write_text(PAGE.format(base=base), encoding="utf-8")
