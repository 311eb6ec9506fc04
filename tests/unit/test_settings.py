"""What settings say when nothing is set, where they are read from, and how mistakes in them are told."""

from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.settings import EngineSettings, Settings, find_config, load_settings

NO_FOLDER = Path("/nonexistent")


def load(folder: Path, toml: str = "", environ: dict[str, str] | None = None) -> Settings:
    (folder / "config.toml").write_text(toml, "utf-8")
    return load_settings(None, environ or {}, folder, user_folder=NO_FOLDER)


def complaints(folder: Path, toml: str = "", environ: dict[str, str] | None = None) -> list[str]:
    """The lines of the error, without the folder's name in front of the file's."""
    with pytest.raises(SettingsError) as caught:
        load(folder, toml, environ)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


# Where settings come from


def test_without_file_and_environment_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(None, {}, tmp_path, user_folder=NO_FOLDER)
    assert settings.engine == EngineSettings(data_dir=tmp_path / "data")
    assert settings.engine.lease == timedelta(minutes=5)
    assert settings.limits.bytes == 50_000_000
    assert settings.watch == []


def test_making_settings_directly_reads_nothing_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTWORK_ENGINE__CONCURRENCY", "99")
    assert Settings().engine.concurrency == 8


def test_the_file_is_option_then_variable_then_folder_then_user_folder(tmp_path: Path) -> None:
    option, variable, here, user = (
        tmp_path / name for name in ("a/a.toml", "b/b.toml", "c/config.toml", "d/config.toml")
    )
    for path in (option, variable, here, user):
        path.parent.mkdir()
        path.touch()
    environ = {"LIGHTWORK_CONFIG": str(variable)}
    assert find_config(option, environ, here.parent, user_folder=user.parent) == option
    assert find_config(None, environ, here.parent, user_folder=user.parent) == variable
    assert find_config(None, {}, here.parent, user_folder=user.parent) == here
    assert find_config(None, {}, tmp_path, user_folder=user.parent) == user
    assert find_config(None, {}, tmp_path, user_folder=NO_FOLDER) is None


@pytest.mark.parametrize(
    ("option", "environ", "named_by"),
    [(Path("gone.toml"), {}, "--config"), (None, {"LIGHTWORK_CONFIG": "gone.toml"}, "LIGHTWORK_CONFIG")],
)
def test_a_named_file_that_is_not_there_is_an_error_and_no_fallback(
    tmp_path: Path, option: Path | None, environ: dict[str, str], named_by: str
) -> None:
    (tmp_path / "config.toml").touch()
    with pytest.raises(SettingsError, match=f"{tmp_path}/gone.toml, which {named_by} names, is not there"):
        load_settings(option, environ, tmp_path, user_folder=NO_FOLDER)


def test_the_environment_wins_over_the_file_key_by_key(tmp_path: Path) -> None:
    toml = '[engine]\nconcurrency = 2\nlease = "9s"\n[models.mine]\nid = "a"\nprovider = "gemini"\n'
    environ = {
        "LIGHTWORK_ENGINE__LEASE": "7s",
        "LIGHTWORK_TELEGRAM__ADMINS": "[1, 2]",
        "LIGHTWORK_OUTPUT__GPS": "true",
        "LIGHTWORK_LIMITS__BYTES": "2MB",
        "LIGHTWORK_WATCH": '[{"path": "inbox-of-the-environment"}]',
        "LIGHTWORK_MODELS__MINE__ID": "b",
    }
    settings = load(tmp_path, toml, environ)
    assert (settings.engine.concurrency, settings.engine.lease) == (2, timedelta(seconds=7))
    assert settings.telegram.admins == [1, 2]
    assert settings.output.gps
    assert settings.limits.bytes == 2_000_000
    assert settings.watch[0].path == tmp_path / "inbox-of-the-environment"
    assert settings.models == {"mine": {"id": "b", "provider": "gemini"}}


def test_paths_are_relative_to_the_file_and_not_to_the_current_folder(tmp_path: Path) -> None:
    config = tmp_path / "elsewhere" / "mine.toml"
    config.parent.mkdir()
    config.write_text('[engine]\ndata_dir = "rows"\n[[watch]]\npath = "photos"\noutbox = "/out"\n')
    settings = load_settings(config, {}, tmp_path, user_folder=NO_FOLDER)
    assert settings.engine.data_dir == config.parent / "rows"
    assert settings.watch[0].inbox == config.parent / "photos" / "inbox"
    assert settings.watch[0].outbox == Path("/out")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("2s", timedelta(seconds=2)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5 h", timedelta(minutes=90)),
        ("30d", timedelta(days=30)),
        ("0", timedelta(0)),
    ],
)
def test_durations_are_written_with_units(tmp_path: Path, written: str, meant: timedelta) -> None:
    assert load(tmp_path, f'[engine]\nretention = "{written}"').engine.retention == meant


@pytest.mark.parametrize("written", ["5", '"5"', '"five minutes"', '"-5m"', '""', '"5m and"'])
def test_a_duration_without_unit_or_meaning_is_refused(tmp_path: Path, written: str) -> None:
    assert complaints(tmp_path, f"[engine]\nlease = {written}") == [
        f"config.toml, line 2: [engine] lease = {written} is not a duration; "
        'write it with a unit, such as "500ms", "2s", "5m", "24h" or "30d".'
    ]


# How mistakes are told


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        (
            "[engine]\n\n# a comment\nconcurency = 4\n",
            'line 4: [engine] concurency is not a setting. Did you mean "concurrency"?',
        ),
        ("[engin]\nlease = '5m'\n", 'line 1: [engin] is not a section of the settings. Did you mean "engine"?'),
        ("[engine]\ngps = true\n", "line 2: [engine] gps is not a setting. gps stands below [output]."),
        ("lease = '5m'\n", "line 1: [lease] is not a section of the settings. lease stands below [engine]."),
        ("[engine]\nconcurrency = 0\n", "line 2: [engine] concurrency = 0 is too small; the smallest is 1."),
        ("[engine]\nlease = '0'\n", 'line 2: [engine] lease = "0s" is too small; it must be more than 0 seconds.'),
        ("[engine]\nconcurrency = 'two'\n", 'line 2: [engine] concurrency = "two" is not a whole number.'),
        ("[output]\ncrop = 'maybe'\n", 'line 2: [output] crop = "maybe" is neither true nor false.'),
        (
            "[limits]\nbytes = '50 elephants'\n",
            'line 2: [limits] bytes = "50 elephants" is not a size; '
            'write it with a unit, such as "500KB", "50MB" or "2GB".',
        ),
        (
            "[[watch]]\npath = 'a'\n[[watch]]\npath = 'b'\npolling = 'allways'\n",
            "line 5: [[watch]] polling = \"allways\" is not one of 'auto', 'always' or 'never'. "
            'Did you mean "always"?',
        ),
        ("[[watch]]\nsettle = '1s'\n", "line 1: [[watch]] path is missing."),
        (
            "[watch]\npath = 'a'\n",
            "line 1: watch is a list of tables; write [[watch]] with two brackets (in the environment: as JSON).",
        ),
        (
            "engine = 'x'\n",
            'line 1: [engine] = "x" is not a table; put its keys below a line with its name in brackets.',
        ),
        (
            "[engine]\nblobs = 's3://key:secret@bucket/prefix'\n",
            'line 2: [engine] blobs = "s3://…" is not an address such as "s3://bucket/prefix"; '
            "leave it empty for files in data_dir.",
        ),
    ],
)
def test_a_mistake_names_file_line_key_and_what_is_right(tmp_path: Path, toml: str, complaint: str) -> None:
    assert complaints(tmp_path, toml) == [f"config.toml, {complaint}"]


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("mysql://me:hunter2@host/photos", "is not an address of PostgreSQL"),
        ("postgresql:me:hunter2@host/photos", "is not an address of PostgreSQL"),
        ("postgresql://me:hunter2@host", "is not an address of PostgreSQL"),
        ("postgresql://me:hunter2@host:photos/5432", "is not an address"),
        ("postgresql://me@host/photos?password=hunter2", "PGPASSWORD"),
    ],
)
def test_a_wrong_database_address_is_refused_without_showing_its_password(
    tmp_path: Path, address: str, wrong: str
) -> None:
    (line,) = complaints(tmp_path, f"[engine]\ndatabase = '{address}'\n")
    assert line.startswith("config.toml, line 2: [engine] database")
    assert wrong in line
    assert "hunter2" not in line


@pytest.mark.parametrize("address", ["postgresql://me:hunt%40er2@host/photos", "postgresql://me@host/photos"])
def test_the_databases_password_is_a_secret_wherever_it_comes_from(tmp_path: Path, address: str) -> None:
    (tmp_path / "config.toml").write_text(f"[engine]\ndatabase = '{address}'\n")
    settings = load_settings(None, {} if "hunt" in address else {"PGPASSWORD": "hunt@er2"}, tmp_path)
    assert settings.secrets.pgpassword.get_secret_value() == "hunt@er2"
    assert settings.engine.database == "postgresql://me@host/photos"
    assert "hunt" not in repr(settings) + str(settings.model_dump())


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    toml = (
        '[output]\nziip = 1\n\n[modules.mine]\nprompt = """\nlease = 3\n"""\n\n[engine]\nlease = "soon"\nmodul = "x"\n'
    )
    lines = complaints(tmp_path, toml, {"LIGHTWORK_ENGINE_MODEL": "x"})
    assert [line.split(":")[0] for line in lines] == [
        "config.toml, line 2",
        "config.toml, line 10",
        "config.toml, line 11",
        "LIGHTWORK_ENGINE_MODEL",
    ]


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        ("[engine]\nmodel = local\n", "line 2, column 9"),
        ("[engine]\nlease = '5m'\nlease = '6m'\n", "line 3, column 13"),
        ("[engine\n", "line 1, column 8"),
        ("[engine]\ndata_dir = '''never closed", "at its end"),
    ],
)
def test_what_is_not_toml_is_told_with_line_and_column(tmp_path: Path, toml: str, where: str) -> None:
    (line,) = complaints(tmp_path, toml)
    assert line.startswith(f"config.toml, {where}: this is not TOML: ")


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("[limits]\nside = " + "9" * 5000, "line 2: side: it holds a number of more digits than can be read."),
        (
            "[limits]\nmegapixels = 4\nside = [\n" + "[" * 5000 + "]" * 5001,
            "line 4: its brackets stand in each other more deeply than can be read.",
        ),
        ("[engine" + ".a" * 5000 + "]\n", "keys stand in each other more deeply than can be read."),
        (
            "[engine]\nconcurrency = 0x" + "f" * 5000,
            "line 2: [engine] concurrency = … is too large; the largest is 256.",
        ),
        (
            "[engine]\ndata_dir = '~nosuchuser/data'\n",
            'line 2: [engine] data_dir = "~nosuchuser/data" begins with "~nosuchuser", '
            "but no such home folder is known here.",
        ),
        (
            "[[watch]]\npath = 'a'\n[[watch]]\npath = 'b'\noutbox = '~nosuchuser'\n",
            'line 5: [[watch]] outbox = "~nosuchuser" begins with "~nosuchuser", but no such home folder',
        ),
        (
            '[[watch]]\npath = "a\\u0000b"\n',
            'line 2: [[watch]] path = "a\\u0000b" holds the character \\u0000, which no path can have.',
        ),
        *(
            (
                f"[engine]\nretention = '{long}'\n",
                f'line 2: [engine] retention = "{long}" is too long; the longest is "36500d", a hundred years.',
            )
            for long in ("36501d", "999999999d", "99999999999999d")
        ),
        ("[engine]\ndata_dir = 'loop/data'\n", "[engine] data_dir (HERE/loop/data) is a symbolic link that leads back"),
        ("[[watch]]\npath = 'a'\n[[watch]]\npath = 'loop'\n", "path of [[watch]] no. 2 (HERE/loop) is a symbolic link"),
        (
            "[[watch]]\npath = 'a'\ndone = '../loop'\n",
            "the done of [[watch]] no. 1 (HERE/a/../loop) is a symbolic link",
        ),
        (f"[[watch]]\npath = '{'y' * 300}'\n", "path of [[watch]] no. 1 (HERE/yyyyyyyy"),
    ],
    ids=range(14),
)
def test_what_no_program_can_use_is_a_mistake_like_any_other(tmp_path: Path, toml: str, complaint: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "a").mkdir()
    (line,) = complaints(tmp_path, toml)
    file, told = line[: len("config.toml")], line[len("config.toml") :].removeprefix(", ").removeprefix(": ")
    assert file == "config.toml"
    assert told.startswith(complaint.replace("HERE/", ""))


def test_a_home_folder_that_nobody_has_is_told_wherever_it_is_named(tmp_path: Path) -> None:
    nobody = "~nosuchuser/here"
    with pytest.raises(SettingsError, match=r'^~nosuchuser/here, which --config names, begins with "~nosuchuser"'):
        load_settings(Path(nobody), {}, tmp_path, user_folder=NO_FOLDER)
    with pytest.raises(SettingsError, match=r"^~nosuchuser/here, which LIGHTWORK_CONFIG names, begins with"):
        load_settings(None, {"LIGHTWORK_CONFIG": nobody}, tmp_path, user_folder=NO_FOLDER)
    with pytest.raises(SettingsError, match=r"^GEMINI_API_KEY_FILE names ~nosuchuser/here, which begins with"):
        load(tmp_path, "", {"GEMINI_API_KEY_FILE": nobody})


def test_a_settings_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes("[output]\nwatermark = '© Jörg'".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"config\.toml is not a text file in UTF-8"):
        load_settings(None, {}, tmp_path, user_folder=NO_FOLDER)


def test_the_mark_that_windows_editors_put_in_front_is_no_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff[engine]\nconcurrency = 3\n").engine.concurrency == 3


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        (
            {"LIGHTWORK_ENGINE_LEASE": "5m"},
            'LIGHTWORK_ENGINE_LEASE: there is no such setting. Did you mean "LIGHTWORK_ENGINE__LEASE"? '
            "Variables are named LIGHTWORK_SECTION__KEY, with two underscores between.",
        ),
        (
            {"LIGHTWORK_ENGINE__LESE": "5m"},
            'LIGHTWORK_ENGINE__LESE: [engine] lese is not a setting. Did you mean "lease"?',
        ),
        (
            {"LIGHTWORK_ENGINE__MAX_RETRIES": "often"},
            'LIGHTWORK_ENGINE__MAX_RETRIES: [engine] max_retries = "often" is not a whole number.',
        ),
        (
            {"LIGHTWORK_TELEGRAM__ADMINS": "1, 2"},
            'LIGHTWORK_TELEGRAM__ADMINS: [telegram] admins = "1, 2" is not a list; write it as [1, 2].',
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    tmp_path: Path, environ: dict[str, str], complaint: str
) -> None:
    assert complaints(tmp_path, "", environ) == [complaint]


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    environ = {"LIGHTWORK_CONFIG": "config.toml", "LIGHTWORK_TEST_DATA": "/data", "PATH": "/bin", "lightworker": "x"}
    assert load(tmp_path, "", environ).engine.concurrency == 8


@pytest.mark.parametrize("address", ["s3://bucket", "s3://my-bucket.eu/", "s3://bucket/some/prefix_1"])
def test_blobs_may_lie_in_a_bucket(tmp_path: Path, address: str) -> None:
    assert load(tmp_path, f"[engine]\nblobs = '{address}'\n").engine.blobs == address


@pytest.mark.parametrize(
    "address", ["/mnt/blobs", "s3://", "s3://B", "s3://bucket//a", "s3://bucket/a b", "s3://bucket/../a", "gs://bucket"]
)
def test_what_is_no_bucket_is_refused(tmp_path: Path, address: str) -> None:
    (line,) = complaints(tmp_path, f"[engine]\nblobs = '{address}'\n")
    assert 'is not an address such as "s3://bucket/prefix"' in line


# Secrets


def test_secrets_come_from_variables_and_files_and_show_in_no_repr(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  from-a-file\n")
    environ = {"GEMINI_API_KEY": "from-a-variable", "TELEGRAM_BOT_TOKEN_FILE": "token"}
    settings = load(tmp_path, "", environ)
    assert settings.secrets.gemini_api_key.get_secret_value() == "from-a-variable"
    assert settings.secrets.telegram_bot_token.get_secret_value() == "from-a-file"
    assert not settings.secrets.runpod_api_key
    assert "from-a" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_variable_wins_over_a_file(tmp_path: Path) -> None:
    settings = load(tmp_path, "", {"GEMINI_API_KEY": "this", "GEMINI_API_KEY_FILE": "/nonexistent"})
    assert settings.secrets.gemini_api_key.get_secret_value() == "this"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), (b" \n", "is empty"), (b"\xff\xfe", "is not a text file")],
)
def test_a_secret_file_that_holds_no_key_is_told(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    (line,) = complaints(tmp_path, "", {"GEMINI_API_KEY_FILE": "key"})
    assert line.startswith("GEMINI_API_KEY_FILE names key, which ")
    assert reason in line


@pytest.mark.parametrize(
    ("toml", "variable"),
    [
        ("[gemini]\napi_key = 'hunter2'\n", "GEMINI_API_KEY"),
        ("gemini_api_key = 'hunter2'\n", "GEMINI_API_KEY"),
        ("[telegram]\ntoken = 'hunter2'\n", "TELEGRAM_BOT_TOKEN"),
        ("[secrets]\nrunpod_api_key = 'hunter2'\n", "RUNPOD_API_KEY"),
        ("[models.mine]\napi_key = 'hunter2'\n", "REPLICATE_API_TOKEN"),
        ("[[watch]]\npath = 'a'\nkey = 'hunter2'\n", "NANO_BANANA_TOKEN"),
        ("[engine]\naws_secret_access_key = 'hunter2'\n", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_secret_in_the_file_is_refused_unseen_and_told_where_it_belongs(
    tmp_path: Path, toml: str, variable: str
) -> None:
    (line,) = complaints(tmp_path, toml)
    assert "secrets do not belong into settings" in line
    assert variable in line
    assert "hunter2" not in line


def test_no_error_carries_the_values_of_settings_along(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "[gemini]\napi_key = 'hunter2'\n[engine]\nlease = 'x'\n")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# Folders that would feed each other


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        (
            "[[watch]]\npath = 'p'\noutbox = 'inbox/out'\n",
            "the outbox of [[watch]] no. 1 (p/inbox/out) lies inside the inbox of [[watch]] no. 1 (p/inbox): ",
        ),
        (
            "[[watch]]\npath = 'p'\ninbox = '.'\noutbox = '../out'\ndone = '../done'\nfailed = 'bad'\n",
            "the failed of [[watch]] no. 1 (p/bad) lies inside the inbox of [[watch]] no. 1",
        ),
        (
            "[[watch]]\npath = 'p'\n[[watch]]\npath = 'q'\ninbox = '../p/outbox'\n",
            "the outbox of [[watch]] no. 1 and the inbox of [[watch]] no. 2 are the same folder, p/outbox.",
        ),
        (
            "[[watch]]\npath = 'p'\noutbox = '../link/results'\n",
            "the outbox of [[watch]] no. 1 (p/inbox/results) lies inside the inbox of [[watch]] no. 1 (p/inbox)",
        ),
        (
            "[engine]\ndata_dir = 'p/inbox/data'\n[[watch]]\npath = 'p'\n",
            "data_dir (p/inbox/data) lies inside the inbox of [[watch]] no. 1 (p/inbox)",
        ),
    ],
)
def test_folders_whose_results_would_be_taken_in_again_are_refused(tmp_path: Path, toml: str, complaint: str) -> None:
    (tmp_path / "p" / "inbox").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "p" / "inbox")
    (line,) = complaints(tmp_path, toml)
    assert line.startswith(f"config.toml: {complaint}")


def test_two_watches_side_by_side_are_fine(tmp_path: Path) -> None:
    toml = "[[watch]]\npath = 'photos'\n[[watch]]\npath = 'photos-2'\n[engine]\ndata_dir = '.'\n"
    assert [watch.path.name for watch in load(tmp_path, toml).watch] == ["photos", "photos-2"]
