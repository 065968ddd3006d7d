"""The `fitness` command in the process of a test, which saves the imports of a new one."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

import pytest

from fitness_assets.cli.main import main


def run_command(*arguments: object, **environ: str) -> CompletedProcess[str]:
    """Run `fitness` as its process would: with the exit status, and what it prints.

    Parameters
    ----------
    *arguments : object
        Text of each argument.
    **environ : str
        Its settings. Those of the environment do not apply.
    """
    words = ["fitness", *map(str, arguments)]
    # Some commands write bytes.
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FITNESS_")]:
            patch.delenv(name)
        for name, value in environ.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", words)
        with redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as ended:
            main()
    status = int(ended.value.code or 0)
    texts = [stream.buffer.getvalue().decode() for stream in (output, errors)]
    return CompletedProcess(words, status, *texts)
