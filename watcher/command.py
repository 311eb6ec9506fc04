"""The command line of `lightwork process`; what it does is in `watcher.process`, imported when it runs."""

import sys
from pathlib import Path

import click

from engine.cli import config_option, settings_of
from engine.errors import SettingsError


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the results.")
@click.option("--module", "-m", default="", help="The kind of edit; see `lightwork modules`.")
@click.option("--model", default="", help="The image model; see `lightwork models`.")
@click.option("--prompt", default="", help="For every photo that has no text of its own beside it.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent and what it would cost.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before spending money.")
@config_option
@click.pass_context
def process(
    ctx: click.Context,
    paths: tuple[Path, ...],
    out: Path,
    module: str,
    model: str,
    prompt: str,
    dry_run: bool,
    yes: bool,
    config: Path | None,
) -> None:
    """Edit photos, or all photos in folders.

    The results go into another folder; the photos themselves stay as they are. Pictures that LightWork itself has made
    are left out where they lie among others.

    Exit code 0: all is edited. 1: some could not be. 2: nothing can be done until you mend something. 130: stopped. The
    same command goes on where it was stopped.
    """
    from engine.commands.foreground import in_foreground, terminal
    from watcher.bill import Order, bill_of, show_bill

    settings, console = settings_of(ctx, config), terminal()
    order = Order(paths, out.absolute(), module or settings.engine.module, model or settings.engine.model, prompt)
    bill = bill_of(order, settings)
    if dry_run:
        show_bill(bill, console)
        return
    if bill.microusd and not yes:
        if not sys.stdin.isatty():
            raise SettingsError(f"{bill.total()} Add --yes to spend that without being asked.")
        click.confirm(f"{bill.total()} Go on?", default=True, abort=True)
    from watcher.process import process as do

    sys.exit(in_foreground(do(order, bill, settings, console), console, settings))
