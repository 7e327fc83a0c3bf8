"""Options that the comparisons of the demonstration's day share."""

from pathlib import Path
from typing import Annotated

import typer

FeederFolder = Annotated[Path | None, typer.Option(help="A feeder folder.", show_default="the IEEE European LV feeder")]
DayNumber = Annotated[int, typer.Option(min=0, help="Number of the day, as of `sep2 demo`.")]
