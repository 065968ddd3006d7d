"""`fitness mcp`."""

import click

from fitness_assets.errors import FitnessError
from fitness_assets.settings import Settings


@click.command()
@click.option("--user", help="Answer only about this user, by name or pseudonym.")
def mcp(user: str | None) -> None:
    """Answer an assistant's questions about the lake (Model Context Protocol, on stdio).

    An assistant starts this command itself; docs/guide/assistants.md shows how. It reads the lake
    of FITNESS_HOME and writes nothing. It opens no connection. What an assistant does with an
    answer is up to the assistant: most send it to their provider.
    """
    settings = Settings.from_env()
    from fitness_assets.cli.answering import open_home

    try:
        from fitness_assets.cli.mcp_server import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        text = "the Model Context Protocol needs an extra: pip install fitness_assets[mcp]"
        raise FitnessError(text) from error
    serve(open_home(settings, user))
