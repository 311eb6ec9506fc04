"""The command line. Nothing heavy is imported before a command runs, so that `--help` answers at once.

Exit codes: 0 all good, 1 some pictures failed, a check did or LightWork itself, 2 nothing can be done until a person
mends something (usage, settings, key, database), 130 interrupted.
"""

import atexit
import gc
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from engine.settings import Settings

MISTAKE = 1
USAGE = 2
INTERRUPTED = 130


class FrontendCommands(click.Group):
    """The engine's commands, and those that installed frontends bring under the entry points `lightwork.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_installed().names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (own := super().get_command(ctx, cmd_name)) is not None:
            return own
        found = _installed().select(name=cmd_name)
        return next(iter(found)).load() if found else None


def _installed() -> EntryPoints:
    return entry_points(group="lightwork.commands")


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`, as good behind the command as before it."""
    return click.option("--config", type=click.Path(path_type=Path), help="Settings file; see docs/settings.md.")(
        command
    )


def settings_of(ctx: click.Context, config: Path | None) -> "Settings":
    """The settings in force for a command. From now on nothing that it says of errors shows their secrets."""
    import logging
    import os

    from engine.redaction import Redaction, values_of
    from engine.settings import load_settings

    known = ctx.ensure_object(dict)
    settings = load_settings(config or known.get("config"), os.environ, Path.cwd())
    known.setdefault("secrets", []).extend(values_of(settings.secrets))
    if logging.lastResort:  # what writes warnings where a command keeps no log
        logging.lastResort.setFormatter(Redaction("%(message)s", "", known["secrets"]))
    return settings


def settings_path(ctx: click.Context, config: Path | None) -> Path | None:
    """The settings file that is in force for a command, if there is one."""
    import os

    from engine.settings import find_config

    return find_config(config or (ctx.obj or {}).get("config"), os.environ, Path.cwd())


@click.group(cls=FrontendCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lightwork", prog_name="lightwork")
@config_option
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Photos in, edited photos out: from a Telegram chat, a watched folder, or the command line."""
    ctx.ensure_object(dict)["config"] = config


@cli.command()
@click.option("--path", help="Folder in which the watched folders are made.")
@click.option("--model", help="Image model; see `lightwork models`.")
@click.option("--module", help="Kind of edit; see `lightwork modules`.")
@click.option("--key-file", help="File that holds the key of the image service.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing; what no option says takes its default.")
@click.option("--force", is_flag=True, help="Write over an existing config.toml.")
def init(**options: Any) -> None:
    """Write a commented config.toml by asking a few questions."""
    from engine.commands.init import run as run_init

    run_init(**options)


@cli.command()
@config_option
@click.pass_context
def run(ctx: click.Context, config: Path | None) -> None:
    """Edit what is dropped into folders or sent to the bot.

    Which folders, and whether the bot runs, is told by the settings. It works until it is stopped; a new start goes on
    where it was.
    """
    from engine.early_signals import EarlySignals

    early = EarlySignals()
    early.record()  # before all that takes its time
    from engine.commands.run import run_until_stopped
    from engine.reload import Source

    path = settings_path(ctx, config)
    sys.exit(run_until_stopped(Source(path, lambda: settings_of(ctx, path)), early))


@cli.command()
@click.option(
    "--path", type=click.Path(path_type=Path), help="Where to make the demo; a new temporary folder by default."
)
def demo(path: Path | None) -> None:
    """Edit six sample photos on this computer, without a key.

    They are drawn, dropped into a watched folder, and edited with the model "local".
    """
    from engine.commands.demo import run_demo

    sys.exit(run_demo(path))


@cli.command()
@config_option
@click.pass_context
def modules(ctx: click.Context, config: Path | None) -> None:
    """List the modules: the kinds of edit, with their prompts."""
    from engine.commands.catalog import print_modules

    print_modules(_catalog(settings_of(ctx, config)))


@cli.command()
@config_option
@click.pass_context
def models(ctx: click.Context, config: Path | None) -> None:
    """List the models, with sizes and prices."""
    from engine.commands.catalog import print_models

    print_models(_catalog(settings_of(ctx, config)))


@cli.command()
@config_option
@click.pass_context
def check(ctx: click.Context, config: Path | None) -> None:
    """Tell line by line what is fine, and what to do.

    Looks at settings, folders, database, key, models and the Telegram bot. Exit code 0: all is well. 1: something is
    not. 2: the settings cannot be read.
    """
    from engine.commands.check import run as run_check

    sys.exit(run_check(config or ctx.obj["config"]))


@cli.command()
@click.option("-n", "--limit", default=20, show_default=True, help="How many.")
@config_option
@click.pass_context
def jobs(ctx: click.Context, config: Path | None, limit: int) -> None:
    """List the newest jobs."""
    from engine.commands.jobs import print_jobs

    print_jobs(settings_of(ctx, config), limit)


@cli.command()
@click.argument("job_id")
@config_option
@click.pass_context
def job(ctx: click.Context, config: Path | None, job_id: str) -> None:
    """Show one job with its pictures.

    The last characters of its id are enough, as `lightwork jobs` shows them.
    """
    from engine.commands.jobs import print_job

    print_job(settings_of(ctx, config), job_id)


@cli.command()
@click.argument("job_id")
@config_option
@click.pass_context
def cancel(ctx: click.Context, config: Path | None, job_id: str) -> None:
    """Cancel what is unfinished of a job.

    The last characters of its id are enough, as `lightwork jobs` shows them.
    """
    from engine.commands.jobs import cancel_job

    cancel_job(settings_of(ctx, config), job_id)


@cli.command()
@click.argument("dest", type=click.Path(path_type=Path))
@config_option
@click.pass_context
def backup(ctx: click.Context, config: Path | None, dest: Path) -> None:
    """Copy jobs, answers and settings to a new folder DEST.

    LightWork may be at work meanwhile. Photos in watched folders and keys are not in the copy; see docs/backup.md.
    """
    from engine.commands.backup import run_backup

    run_backup(settings_of(ctx, config), settings_path(ctx, config), dest)


@cli.command()
@click.argument("src", type=click.Path(path_type=Path))
@config_option
@click.pass_context
def restore(ctx: click.Context, config: Path | None, src: Path) -> None:
    """Put the backup in folder SRC into an empty data_dir.

    The next `lightwork run` goes on from there. Settings are not changed: those of the backup lie in it as config.toml.
    """
    from engine.commands.backup import run_restore

    run_restore(settings_of(ctx, config), src)


def _catalog(settings: "Settings") -> Any:
    from engine.catalog import load_catalog

    return load_catalog(settings.models, settings.modules)


def main() -> None:
    """The console script `lightwork`."""
    from traceback import format_exception

    from engine.errors import LightWorkError

    atexit.register(gc.freeze)  # else the interpreter looks once more through all that is about to go: 0.3 s
    known: dict[str, Any] = {}
    try:
        sys.exit(cli.main(prog_name="lightwork", standalone_mode=False, obj=known))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped.", INTERRUPTED)
    except (Exception, BaseExceptionGroup) as error:
        told = _leaves(error)
        if all(isinstance(one, LightWorkError) for one in told):
            _fail(_shown("\n".join(dict.fromkeys(map(str, told))), known), USAGE)
        # Python would print it as it is.
        _fail(_shown("a mistake of LightWork's own:\n" + "".join(format_exception(error)), known), MISTAKE)


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors in a group, however deep, as tasks that run side by side fail as groups; or the one error itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for part in error.exceptions for leaf in _leaves(part)]


def _shown(message: str, known: Mapping[str, Any]) -> str:
    """The message without secrets: those of settings that were read, and those of the environment."""
    import os

    from engine.errors import SettingsError
    from engine.redaction import Redaction, values_of
    from engine.secrets import read_secrets

    secrets = [*known.get("secrets", ())]
    with suppress(SettingsError):
        secrets += values_of(read_secrets(os.environ, Path.cwd()))
    return Redaction("", "", secrets).hidden(message)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"lightwork: {message}", err=True)
    sys.exit(code)
