"""Pure: a template and its variables to a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from worker.errors import TemplateInvalidError
from worker.routers.normal_form import significant


def render(
    router: str, template: str, variables: Mapping[str, str], platform: str = "simulated"
) -> tuple[str, ...]:
    """Return the configuration's lines: variables filled in, the platform's comments and blank lines dropped.

    Indentation is kept, because it says which section a line belongs to.

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
    lines = significant(platform, text.splitlines())
    if not lines:
        raise TemplateInvalidError(router, "template renders to nothing")
    return lines
