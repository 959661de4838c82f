"""The console that all commands print to."""

from collections.abc import Iterable
from typing import Any

import rich.console
import rich.segment

from keras_hrnet.printable import printable


class Console(rich.console.Console):
    """A console that prints the names of files and classes literally.

    Brackets are not markup, and control characters are escaped.

    Args:
        **options: options of `rich.console.Console`.
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, **options)

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[rich.segment.Segment]:
        """Renders like the base class, and escapes control characters."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text, is_text=True))
