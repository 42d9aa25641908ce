"""Pure: a template and its variables to a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from worker.errors import TemplateInvalidError


def render(router: str, template: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the configuration's lines: variables filled in, comments (`!`) and blank lines dropped.

    Raises:
        TemplateInvalidError: When a variable has no value, a `$` stands alone, or no line is left. An empty
            configuration is refused because applying it would cut the router off.
    """
    try:
        text = Template(template).substitute(variables)
    except KeyError as error:
        raise TemplateInvalidError(router, f"variable {error.args[0]!r} has no value") from error
    except ValueError as error:
        raise TemplateInvalidError(router, f"template is malformed: {error}") from error
    lines = tuple(line.strip() for line in text.splitlines())
    kept = tuple(line for line in lines if line and not line.startswith("!"))
    if not kept:
        raise TemplateInvalidError(router, "template renders to nothing")
    return kept
