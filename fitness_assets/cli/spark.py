"""`fitness spark`."""

import click

from fitness_assets.settings import Settings

_HOST_HELP = "The name or address that others connect to.  [default: the machine's]"


@click.group()
def spark() -> None:
    """Run parts of a Spark cluster. FITNESS_SPARK_MASTER is its URL."""


@spark.command()
@click.option("--host", help=_HOST_HELP)
@click.option("--port", type=click.IntRange(1, 65535), default=7077, show_default=True)
def master(host: str | None, port: int) -> None:
    """Run the master, in the foreground."""
    settings = Settings.from_env()
    from fitness_assets.spark.cluster import exec_daemon

    exec_daemon(settings, "Master", [*_option("--host", host), "--port", str(port)])


@spark.command()
@click.argument("url", metavar="spark://HOST:PORT")
@click.option("--host", help=_HOST_HELP)
@click.option("--cores", type=click.IntRange(1), help="[default: all]")
@click.option("--memory", metavar="SIZE", help="Such as 2g.  [default: all but 1 GB]")
def worker(url: str, host: str | None, cores: int | None, memory: str | None) -> None:
    """Run a worker of the master at URL, in the foreground."""
    settings = Settings.from_env()
    from fitness_assets.spark.cluster import exec_daemon

    options = [
        *_option("--host", host),
        *_option("--cores", cores),
        *_option("--memory", memory),
    ]
    exec_daemon(settings, "Worker", [*options, url])


@spark.command()
def executor() -> None:
    """Run an executor of Spark on Kubernetes. Spark starts it in the pods that it creates."""
    settings = Settings.from_env()
    from fitness_assets.spark.cluster import exec_executor

    exec_executor(settings)


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]
