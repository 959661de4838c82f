"""Surveys a data set with a progress bar, and prints the findings as a table and lists."""

import os

import rich.padding
import rich.table
import rich.text

from keras_hrnet.cli.console import Console
from keras_hrnet.cli.data_options import DataOptions
from keras_hrnet.cli.progress import progress_bar
from keras_hrnet.data.files.findings import ERROR, NUM_SHOWN, Finding, Survey, counted, heading
from keras_hrnet.data.files.folders import match_folders
from keras_hrnet.data.files.survey import check as check_root
from keras_hrnet.data.files.survey import check_folders, count_pairs

STATE_STYLES = {"complete": "green", "sound": "green", "absent": "dim"}


def survey_root(options: DataOptions, quick: bool) -> Survey:
    """Checks the root of a known data set, with a progress bar.

    Args:
        quick: whether to read headers only.
    """
    root, row = options.data, options.row
    with progress_bar("Checking", count_pairs(root, row), "pairs") as advance:
        return check_root(root, row, contents=not quick, on_pair=lambda pair: advance())


def survey_folders(options: DataOptions, quick: bool) -> Survey:
    """Checks a folder of images and a folder of masks, with a progress bar.

    Args:
        quick: whether to read headers only.
    """
    folders, coding = options.folders_of("train"), options.coding
    with progress_bar("Checking", len(match_folders(*folders).pairs), "pairs") as advance:
        return check_folders(*folders, coding=coding, contents=not quick, on_pair=lambda pair: advance())


def print_survey(survey: Survey) -> None:
    """Prints a table of the files, and the findings of each kind with a fix."""
    console = Console(highlight=False)
    table = rich.table.Table(title=survey.root, title_justify="left")
    heads, *rows = survey.table()
    for name in heads:
        table.add_column(name, justify="right" if name in ("found", "published") else "left")
    for *numbers, state in rows:
        table.add_row(*numbers, rich.text.Text(state, STATE_STYLES.get(state.partition(":")[0], "red")))
    console.print(table)
    if survey.values:
        console.print(rich.text.Text(f"Values in the masks: {survey.values_in_words()}"))
    for group in survey.groups():
        print_group(console, group, survey.root)
    num_errors = sum(finding.severity == ERROR for finding in survey.findings)
    text, style = (counted(num_errors, "error"), "bold red") if num_errors else ("No errors", "green")
    remarks = f", {counted(len(survey.findings) - num_errors, 'remark')}."
    console.print(rich.text.Text.assemble("\n", (text, style), remarks))


def print_group(console: Console, group: list[Finding], root: str) -> None:
    """Prints findings of one kind: their number, the first of them, and the advice.

    Args:
        root: the folder to which the printed paths are relative.
    """
    style = "bold red" if group[0].severity == ERROR else "bold yellow"
    console.print(f"\n{heading(group)}", style=style)
    for finding in group[:NUM_SHOWN]:
        # Paths are not wrapped, so that they can be copied.
        console.print(rich.text.Text(f"  {shown_from(root, str(finding.path))}"), soft_wrap=True)
        console.print(indented(shown_from(root, finding.message), 4))
    if len(group) > NUM_SHOWN:
        console.print(f"  and {len(group) - NUM_SHOWN} more")
    console.print(indented(f"→ {group[0].cure}", 2))


def shown_from(root: str, text: str) -> str:
    """Makes the paths in a text relative to the root."""
    return text.replace(f"{root}{os.sep}", "")


def indented(text: str, num_spaces: int) -> rich.padding.Padding:
    """Wraps a text with spaces before each line."""
    return rich.padding.Padding(rich.text.Text(text), (0, 0, 0, num_spaces), expand=False)
