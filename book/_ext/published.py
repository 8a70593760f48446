"""Sphinx extension: what a published book owes to search engines and to those who pass on a link.

AMNL_SITE is the address of the book's root, such as https://OWNER.github.io/REPO/. With it, every
page has a description, a preview picture and its one address, and there is a `sitemap.xml`. All
of these need full addresses, so without it the book is rendered without them.
"""

import os
from typing import Any

from sphinx.application import Sphinx

PICTURE_TAGS = (
    '<meta property="og:image:width" content="1200" />',
    '<meta property="og:image:height" content="630" />',
    '<meta name="twitter:card" content="summary_large_image" />',
)


def spell_lambda(*event: Any) -> None:
    """In a description, taken from a page's first words, a formula is its source."""
    context: dict[str, Any] = event[3]
    context["metatags"] = context.get("metatags", "").replace(r"\lambda", " λ")


def setup(app: Sphinx) -> dict[str, bool]:
    if site := os.environ.get("AMNL_SITE"):
        app.setup_extension("sphinxext.opengraph")
        app.setup_extension("sphinx_sitemap")
        app.config.html_context["site"] = site.rstrip("/")
        app.config.html_baseurl = app.config.ogp_site_url = site.rstrip("/") + "/"
        app.config.ogp_site_name = app.config.html_title
        app.config.ogp_image = "_static/social.png"
        app.config.ogp_image_alt = (
            "Test error against the weight λ: as the source prints it, and as measured in two units"
        )
        app.config.ogp_custom_meta_tags = PICTURE_TAGS
        app.config.sitemap_excludes = [
            "404.html",
            "genindex.html",
            "py-modindex.html",
            "search.html",
        ]
        app.config.sitemap_url_scheme = "{link}"
        app.connect("html-page-context", spell_lambda, priority=600)  # after opengraph's 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
