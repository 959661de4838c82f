"""The console that all commands print to."""

from collections.abc import Iterable
from typing import Any

import rich.console
import rich.segment

from keras_hrnet.printable import printable


class Console(rich.console.Console):
    """A console on which the names of files and classes can do nothing but be read.

    Brackets are no markup, and control characters are written out.

    Args:
        **options: of `rich.console.Console`.
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, **options)

    def render(
        self, renderable: rich.console.RenderableType, options: rich.console.ConsoleOptions | None = None
    ) -> Iterable[rich.segment.Segment]:
        """Renders what its base class does, and writes out control characters in it."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text, is_text=True))
