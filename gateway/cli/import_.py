"""`gateway import`: takes over what another gateway was configured to do."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson

from gateway.catalog.packaged import load_prices
from gateway.cli.configuration import environment, exit_with, settings_or_exit
from gateway.cli.keys import insert_key, new_key
from gateway.cli.ledgers import DB, changing
from gateway.cli.litellm import ImportedConfig, KeyImport, imported, read_keys, summary
from gateway.cli.new_files import write_files
from gateway.cli.terminal import echo, shown
from gateway.errors import ConfigError
from gateway.settings import load
from gateway.settings.environment import read_dotenv
from gateway.settings.yaml_file import ConfigProblems, read_document
from gateway.store.database_store import DatabaseStore

MAX_BYTES = 50_000_000  # of a file that is read; an export of 100,000 keys has about that size
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("import")
def import_() -> None:
    """Take over the configuration, or the keys, of another gateway."""


@import_.command()
@click.argument("config", type=FILE)
@click.option("--env", type=FILE, help="LiteLLM's .env: the report then says which variables it does not set.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="config",
    show_default=True,
    help="The folder of the new files.",
)
@click.option("--dry-run", is_flag=True, help="Only report; write nothing.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON, one object for each entry.")
def litellm(config: Path, env: Path | None, output: Path, dry_run: bool, force: bool, as_json: bool) -> None:
    """Read LiteLLM's CONFIG (its config.yaml) and write gateway.yaml, providers.yaml and .env.example.

    The report says of every entry what it is here: taken over, changed, not supported (with what to do instead) or not
    needed. Keys are never copied: .env.example has the names of the variables to set.
    """
    problems = ConfigProblems()
    document = read_document(config, problems)
    if problems.problems:
        raise exit_with(ConfigError(problems.problems))
    result = imported(document, prices=load_prices(), now=datetime.now(UTC))
    _check(result)
    for entry in result.entries:
        facts = {"place": entry.place, "result": entry.fate, "text": entry.text}
        echo(orjson.dumps(facts).decode() if as_json else f"{entry.place}\n    {entry.fate}: {entry.text}")
    click.echo(f"{summary(list(result.entries))}.", err=True)
    try:
        known = read_dotenv(env) if env is not None else {}
    except ConfigError as error:
        raise exit_with(error) from None
    for name in result.variables:
        click.echo(f"variable to set: {name}" + (f" (in {env})" if name in known else ""), err=True)
    if dry_run:
        click.echo("Nothing was written (--dry-run).", err=True)
        return
    write_files({output / name: text for name, text in result.files.items()}, force=force)
    click.echo(
        f"Wrote {', '.join(str(output / name) for name in result.files)}. Set the variables, then "
        f"`GATEWAY_CONFIG={output / 'gateway.yaml'} gateway doctor`.",
        err=True,
    )


@import_.command("litellm-keys")
@click.argument("export", type=FILE)
@click.option("--dry-run", is_flag=True, help="Only report; make no key.")
@DB
def litellm_keys(export: Path, dry_run: bool, db: str | None) -> None:
    """Make a new virtual key for each key in EXPORT, with its budget, rate, models and end.

    EXPORT is LiteLLM's table LiteLLM_VerificationToken as CSV or JSON, or the answer of its
    /key/list?return_full_object=true. LiteLLM stores only hashes, so the old secrets cannot be kept. The new ones are
    printed once, on standard output: a key and its name a line. Keys that are blocked, have expired, or
    whose name is in use here are left out. Run it after `gateway import litellm`, which makes the names of the models.
    """
    settings = settings_or_exit(environment())
    if export.stat().st_size > MAX_BYTES:
        raise click.ClickException(f"{export} has more than {MAX_BYTES // 1_000_000} MB.")
    try:
        found = read_keys(export.read_text(encoding="utf-8-sig"), settings.catalog, now=datetime.now(UTC))
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{export} cannot be read: {error}.") from None
    if dry_run:
        for key in found:
            _tell(key)
        click.echo(f"{sum(key.refusal is None for key in found)} keys would be made (--dry-run).", err=True)
        return
    made = 0
    with changing(db or settings.db, create=True) as store:
        used = _names(store)
        for key in found:
            refusal = key.refusal or ("a key here has this name already" if key.name in used else None)
            _tell(key, refusal)
            if refusal is None:
                secret, stored = new_key(
                    key.name, budget=key.budget, rpm=key.rpm, models=key.models, expires=key.expires
                )
                insert_key(stored, store, settings)
                echo(f"{secret} {key.name}")
                used.add(key.name)
                made += 1
    click.echo(f"{made} keys are made; this is the only time they are shown.", err=True)


def _check(result: ImportedConfig) -> None:
    """Ends the command where the gateway could not start with the new files."""
    with tempfile.TemporaryDirectory(prefix="gateway-import-") as folder:
        for name, text in result.files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            load({}, config=Path(folder) / "gateway.yaml")
        except ConfigError as error:
            click.echo(
                "The new configuration would not be valid, so nothing is written. Correct the old one first:", err=True
            )
            raise exit_with(ConfigError([problem.removeprefix(f"{folder}/") for problem in error.problems])) from None


def _names(store: DatabaseStore) -> set[str]:
    """The names of the keys that are not revoked."""
    return {key.name for key in store.virtual_keys() if key.revoked is None}


def _tell(key: KeyImport, refusal: str | None = None) -> None:
    """One line on standard error about what becomes of a key."""
    refused = refusal or key.refusal
    if refused is not None:
        click.echo(shown(f"{key.name}: no key: {refused}"), err=True)
        return
    facts = {
        "budget": key.budget,
        "rpm": key.rpm,
        "models": None if key.models is None else " ".join(key.models),
        "until": key.expires,
    }
    words = [f"{name} {value}" for name, value in facts.items() if value is not None]
    click.echo(shown(f"{key.name}: {', '.join([*words, *key.notes]) or 'no limits'}"), err=True)
