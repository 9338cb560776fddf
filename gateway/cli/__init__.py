"""The command line: one subcommand a module."""

from __future__ import annotations

import click

from gateway.cli.demo import demo
from gateway.cli.doctor import doctor
from gateway.cli.keys import keys
from gateway.cli.models import models
from gateway.cli.report import report
from gateway.cli.route import route
from gateway.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="auto-gateway", prog_name="gateway")
def main() -> None:
    """An OpenAI-compatible gateway that sends each request to the model that does the job for least money."""


for command in (serve, demo, doctor, route, models, report, keys):
    main.add_command(command)
