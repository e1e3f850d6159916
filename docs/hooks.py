"""What the site's pages are given beside their text."""

import re
from typing import Any

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(?=\s*<code>)")


def on_page_content(html: str, **_: Any) -> str:
    """Names in docstrings without the roles that Sphinx reads."""
    return _ROLE.sub("", html)
