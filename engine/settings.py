"""What can be set, what it is when nothing is set, and where it is read from.

The later wins: the defaults below, one TOML file, environment variables `LIGHTWORK_SECTION__KEY`. The file is the
first of `--config`, `LIGHTWORK_CONFIG`, `./config.toml`, `config.toml` in the platform's folder for settings.
The descriptions are the text of docs/settings.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from engine.address import check_address, without_password
from engine.durations import Duration
from engine.errors import SettingsError
from engine.overlap import inside, overlaps
from engine.paths import PathSetting, expanded, never_opens
from engine.secrets import Secrets, read_secrets
from engine.settings_file import SettingsFile, read_settings_file
from engine.settings_problems import Known, Origins, problem, secret_problems, unknown_variables

CONFIG_NAME = "config.toml"
PREFIX = "LIGHTWORK_"
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.{1,2}(?:/|$))[\w.=-]+)*/?", re.ASCII)
NOT_SETTINGS = frozenset({"LIGHTWORK_CONFIG", "LIGHTWORK_TEST_DATA"})


def _bucket(value: str) -> str:
    if value and not _BUCKET.fullmatch(value):
        raise ValueError('is not an address such as "s3://bucket/prefix"; leave it empty for files in data_dir')
    return value


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen at."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Raises ValueError, which says how an address is written."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError('is not a host and a port, such as "127.0.0.1:9464"')
        return cls(host, int(port))


def _listening(text: str) -> str:
    return str(Address.parse(text)) if text else ""


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class EngineSettings(Section):
    """How work is done, for every frontend."""

    data_dir: PathSetting = Field(
        Path("data"), description="Folder for the database, the services' answers and previews. On a local disk."
    )
    database: Annotated[str, AfterValidator(check_address)] = Field(
        "",
        description="Empty: SQLite in `data_dir`. Or a database on PostgreSQL, `postgresql://user@host:5432/photos`; "
        "its password comes from the environment variable `PGPASSWORD`. See docs/postgresql.md.",
    )
    blobs: Annotated[str, AfterValidator(_bucket)] = Field(
        "", description="Empty: files in `data_dir`; or `s3://bucket/prefix`, see docs/storage.md."
    )
    concurrency: int = Field(8, ge=1, le=256, description="How many pictures are in work at the same time, at most.")
    max_retries: int = Field(3, ge=0, le=100, description="How often a picture is tried again after a fault.")
    retry_budget: Duration = Field(
        "24h",
        validate_default=True,
        description="How long a picture waits for a busy service; such waiting does not count as one of `max_retries`.",
    )
    lease: Duration = Field(
        "5m",
        validate_default=True,
        gt=timedelta(0),
        description="After a crash, pictures in work are taken up again after this time.",
    )
    grace: Duration = Field(
        "30s", validate_default=True, description="How long pictures in work may take to finish when LightWork stops."
    )
    in_flight_bytes: ByteSize = Field(
        "256MB",
        validate_default=True,
        gt=0,
        description="How much memory calls may take at the same time: "
        "each counts as four times its photos as they are sent, and a guess for its answer.",
    )
    retention: Duration = Field(
        "30d",
        validate_default=True,
        description="Answers and previews in `data_dir` are deleted when they are older than this; "
        '"0" keeps them. What lies in an outbox is never deleted.',
    )
    module: str = Field("enhance", description="The kind of edit where none is asked for; see `lightwork modules`.")
    model: str = Field(
        "nano_banana",
        description='The image model where none is asked for; see `lightwork models`. "local" needs no key.',
    )


class GeminiSettings(Section):
    """Google's Gemini API. Its key comes from the environment variable `GEMINI_API_KEY`."""

    base_url: str = Field("", description="Empty: Google's own address.")


class TelegramSettings(Section):
    """The Telegram bot. Its token comes from the environment variable `TELEGRAM_BOT_TOKEN`; see docs/bot.md."""

    enabled: bool = Field(False, description="Whether the bot runs; it needs `TELEGRAM_BOT_TOKEN`.")
    base_url: str = Field("", description="Empty: Telegram's own address; else such as `http://127.0.0.1:8081/bot`.")
    base_file_url: str = Field(
        "", description="Empty: Telegram's own address for files; else such as `http://127.0.0.1:8081/file/bot`."
    )
    local_files: bool = Field(
        False,
        description="`true` if `base_url` is a Bot API server of your own, started with `--local`, whose files this "
        "computer can read: then photos may have up to `limits.bytes` instead of 20 MB.",
    )
    allowed_users: list[int] = Field([], description="Numeric ids of the people who may use the bot; empty: nobody.")
    allowed_chats: list[int] = Field([], description="Numeric ids of the groups in which everybody may use the bot.")
    admins: list[int] = Field(
        [],
        description="Numeric ids of the people who run the bot: they may use it, and have "
        "`/stats /allow /deny /queue`.",
    )
    draft_expires: Duration = Field(
        "24h",
        validate_default=True,
        gt=timedelta(0),
        description="Photos without a caption wait this long for somebody to say what is to be done.",
    )


class LimitSettings(Section):
    """Photos beyond these limits are refused, with a sentence that says so."""

    megapixels: float = Field(40, gt=0, description="The most million pixels.")
    bytes: ByteSize = Field("50MB", validate_default=True, gt=0, description="The largest file.")
    side: int = Field(20000, ge=1, description="The longest side in pixels.")
    min_side: int = Field(16, ge=1, description="The shortest side in pixels.")


class OutputSettings(Section):
    """What becomes of the pictures that come back."""

    gps: bool = Field(False, description="Keep the place where the photo was taken. Other EXIF data are always kept.")
    watermark: str = Field("", description="A text that is written into a corner of each result; empty: none.")
    crop: bool = Field(True, description="Crop each result to the shape of its original.")
    zip: bool = Field(False, description="Add a ZIP of all results to the report of each `lightwork process`.")


class OpsSettings(Section):
    """For those who run LightWork as a service; see docs/operations.md."""

    listen: Annotated[str, AfterValidator(_listening)] = Field(
        "",
        description="Where `/livez`, `/readyz` and `/metrics` are served, such as `127.0.0.1:9464`; empty: nowhere. "
        "Whoever can reach that address can read them.",
    )
    log: Literal["console", "json"] = Field(
        "console", description="`console`: lines for people; `json`: one object a line, for programs."
    )


class WatchSettings(Section):
    """A watched folder; as many as you like, each below a `[[watch]]` of its own."""

    path: PathSetting = Field(description="The folder in which the next four are made.")
    inbox: PathSetting = Field(Path("inbox"), description="Photos are dropped here.")
    outbox: PathSetting = Field(Path("outbox"), description="Results appear here.")
    done: PathSetting = Field(Path("done"), description="Originals are moved here when their result is there.")
    failed: PathSetting = Field(
        Path("failed"), description="Originals that cannot be edited are moved here, with the reason."
    )
    module: str = Field("", description="The kind of edit; empty: as in `[engine]`.")
    model: str = Field("", description="The image model; empty: as in `[engine]`.")
    settle: Duration = Field(
        "2s", validate_default=True, description="A file that is unchanged for this long has been written completely."
    )
    group_after: Duration = Field(
        "5s",
        validate_default=True,
        description="Files that arrive with shorter pauses form one job; the first of them is worked on at once.",
    )
    polling: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Look for new files by listing the folder instead of waiting for the system to tell; "
        "`auto` does so on network shares; `never` relies on the system, and on `rescan`.",
    )
    rescan: Duration = Field(
        "30s",
        validate_default=True,
        gt=timedelta(0),
        description="How often the inbox is looked through for what nobody told about.",
    )
    layout: Literal["tree", "job"] = Field(
        "tree", description="`tree`: the outbox mirrors the inbox; `job`: it has one folder for each job."
    )
    zip: bool = Field(False, description="Add a ZIP of all results to the report of each job.")

    def folders(self) -> dict[str, Path]:
        """Where inbox, outbox, done and failed lie; each may be set to a path outside `path`."""
        named = {"inbox": self.inbox, "outbox": self.outbox, "done": self.done, "failed": self.failed}
        return {name: self.path / expanded(folder) for name, folder in named.items()}


class Settings(BaseSettings):
    """All settings. Made directly it holds the defaults; `load_settings` reads the file and the environment."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    engine: EngineSettings = EngineSettings()
    gemini: GeminiSettings = GeminiSettings()
    telegram: TelegramSettings = TelegramSettings()
    limits: LimitSettings = LimitSettings()
    output: OutputSettings = OutputSettings()
    ops: OpsSettings = OpsSettings()
    watch: list[WatchSettings] = []
    models: dict[str, dict[str, Any]] = {}
    modules: dict[str, dict[str, Any]] = {}
    secrets: Secrets = Field(Secrets(), exclude=True)

    def models_named(self) -> set[str]:
        """The models that photos get which do not ask for one."""
        return {watch.model or self.engine.model for watch in self.watch} or {self.engine.model}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing is read behind the caller's back."""
        return (init_settings,)


class _Environment(EnvSettingsSource):
    """The settings in a given mapping instead of the process's own environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leave what is no JSON to the validation, whose errors name the place."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def find_config(
    config: Path | None, environ: Mapping[str, str], cwd: Path, *, user_folder: Path | None = None
) -> Path | None:
    """The settings file that is in force, or None. A file that was named but is not there is a SettingsError."""
    named = config or Path(environ.get("LIGHTWORK_CONFIG", ""))
    if named != Path():
        by = "--config" if config else "LIGHTWORK_CONFIG"
        try:
            path = cwd / expanded(named)
        except ValueError as error:
            raise SettingsError(f"{named}, which {by} names, {error}.") from None
        if not path.is_file():
            raise SettingsError(f'{path}, which {by} names, is not there. "lightwork init" writes such a file.')
        return path
    folder = user_folder or platformdirs.user_config_path("lightwork", appauthor=False)
    return next((path for path in (cwd / CONFIG_NAME, folder / CONFIG_NAME) if path.is_file()), None)


def load_settings(
    config: Path | None, environ: Mapping[str, str], cwd: Path, *, user_folder: Path | None = None
) -> Settings:
    """Read, check and complete the settings; every path in them is absolute then.

    Relative paths start at the folder of the settings file, or at `cwd` where there is none. Raises SettingsError: one
    line for each thing that is wrong, with file, line and key. The value of a secret is never part of it.
    """
    path = find_config(config, environ, cwd, user_folder=user_folder)
    try:
        settings = _validated(read_settings_file(path) if path else SettingsFile(), environ)
    except RecursionError:
        raise SettingsError(
            f"{path or 'the settings'}: keys stand in each other more deeply than can be read."
        ) from None
    anchored = _anchored(settings, path.parent if path else cwd)
    if clashes := _clashes(anchored):
        raise SettingsError("\n".join(f"{path or 'the settings'}: {clash}" for clash in clashes))
    return _with_secrets(anchored, read_secrets(environ, cwd))


def _with_secrets(settings: Settings, secrets: Secrets) -> Settings:
    """A password in the database's address is moved to where no repr shows it."""
    address, password = without_password(settings.engine.database)
    if password:
        secrets = secrets.model_copy(update={"pgpassword": SecretStr(password)})
    engine = settings.engine.model_copy(update={"database": address})
    return settings.model_copy(update={"engine": engine, "secrets": secrets})


def _validated(file: SettingsFile, environ: Mapping[str, str]) -> Settings:
    origins = Origins(file, _Environment(environ)(), PREFIX)
    values = _merged(file.values, origins.environment)
    known, wrong = _known(), secret_problems(values, origins)
    variables = [name for name in environ if name.startswith(PREFIX) and name not in NOT_SETTINGS]
    try:
        settings = Settings(**values)
    except ValidationError as error:
        wrong = {e["loc"]: problem(e, origins, known) for e in error.errors(include_url=False)} | wrong
    lines = [wrong[place] for place in sorted(wrong, key=file.line_of)] + unknown_variables(variables, PREFIX, known)
    if lines:  # raised outside the handler: a chained ValidationError would carry the values along
        raise SettingsError("\n".join(lines))
    return settings


def _known() -> Known:
    fields = Settings.model_fields.items()
    sections = {
        name: tuple(getattr(field.annotation, "model_fields", ())) for name, field in fields if name != "secrets"
    }
    return Known({**sections, "watch": tuple(WatchSettings.model_fields)})


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    tables = [
        key for key in below.keys() & above.keys() if isinstance(below[key], dict) and isinstance(above[key], dict)
    ]
    return {**below, **above, **{key: _merged(below[key], above[key]) for key in tables}}


def _anchored(settings: Settings, base: Path) -> Settings:
    engine = settings.engine.model_copy(update={"data_dir": _absolute(settings.engine.data_dir, base)})
    watch = [_watch_anchored(one, base) for one in settings.watch]
    return settings.model_copy(update={"engine": engine, "watch": watch})


def _watch_anchored(watch: WatchSettings, base: Path) -> WatchSettings:
    anchored = watch.model_copy(update={"path": _absolute(watch.path, base)})
    return anchored.model_copy(update=anchored.folders())


def _absolute(path: Path, base: Path) -> Path:
    return base.absolute() / expanded(path)


def _clashes(settings: Settings) -> list[str]:
    folders = {
        f"the {name} of [[watch]] no. {number}": folder
        for number, watch in enumerate(settings.watch, start=1)
        for name, folder in watch.folders().items()
    }
    watched = {f"path of [[watch]] no. {number}": watch.path for number, watch in enumerate(settings.watch, start=1)}
    if lost := never_opens({"[engine] data_dir": settings.engine.data_dir} | watched | folders):
        return lost
    # A watched folder inside data_dir harms nothing; the other way round the database itself would be taken in.
    data = [line for name, path in folders.items() for line in inside("data_dir", settings.engine.data_dir, name, path)]
    return overlaps(folders) + data
