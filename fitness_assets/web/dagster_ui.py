"""Dagster's web server behind the gate: ``python -m fitness_assets.web.dagster_ui``.

It takes the options of ``dagster-webserver``.
"""

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from fitness_assets.memory import collect_rarely
from fitness_assets.settings import DashboardSettings
from fitness_assets.web.gate import JsonOnly, OriginGate

if TYPE_CHECKING:
    from starlette.applications import Starlette

#: Paths of Dagster's web server with data rather than a page.
DATA_PATHS = ("/graphql", "/logs/", "/notebook", "/dagit/notebook", "/download_debug/", "/report_")


def create_gated_app(context: Any, path_prefix: str = "", *args: Any, **kwargs: Any) -> "Starlette":
    """Dagster's application with the gate in front of all its routes."""
    from dagster_webserver.app import create_app_from_workspace_process_context

    app = create_app_from_workspace_process_context(context, path_prefix, *args, **kwargs)
    # Starlette calls the middleware that was added last first.
    app.add_middleware(JsonOnly)
    app.add_middleware(
        OriginGate,
        site=DashboardSettings.from_env().site,
        data_paths=DATA_PATHS,
        path_prefix=path_prefix,
    )
    return app


def main() -> None:
    """Run the command `dagster-webserver`, with the gate."""
    # Before the imports that take seconds.
    collect_rarely()
    from dagster_webserver import cli

    # The command has no option for middleware. `patch` raises an error if a later version of
    # Dagster has no such function, so that the server does not start without the gate.
    with patch.object(cli, "create_app_from_workspace_process_context", create_gated_app):
        cli.cli(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
