"""A server of the Model Context Protocol on standard input and output.

Standard output carries the protocol only. Log messages go to standard error.
"""

import logging
import sys
from importlib.metadata import version
from typing import Any

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import MAX_BYTES
from fitness_assets.answers.tools import INSTRUCTIONS, TOOLS, ask
from fitness_assets.errors import FitnessError

#: Limit on the seconds of one answer.
SECONDS = 30
logger = logging.getLogger(__name__)


def serve(home: Home) -> None:
    """Answer questions about `home` until standard input ends."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="fitness mcp: %(message)s")
    anyio.run(_serve, home)


async def _serve(home: Home) -> None:
    server = build_server(home)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def build_server(home: Home) -> "Server[Any]":
    """The server of the tools, for any transport."""
    # The lake is read for one question at a time.
    one_at_a_time = anyio.CapacityLimiter(1)

    async def list_tools(
        _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=tool.schema(),
                    annotations=types.ToolAnnotations(
                        read_only_hint=True, idempotent_hint=True, open_world_hint=False
                    ),
                )
                for tool in TOOLS.values()
            ]
        )

    async def call_tool(
        _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            with anyio.fail_after(SECONDS):
                answer = await anyio.to_thread.run_sync(
                    ask,
                    home,
                    params.name,
                    params.arguments,
                    limiter=one_at_a_time,
                    abandon_on_cancel=True,
                )
        except FitnessError as error:
            return _result(str(error).encode()[:MAX_BYTES].decode(errors="ignore"), failed=True)
        except TimeoutError:
            return _result(
                f"{params.name} took longer than {SECONDS} s; ask for a shorter period",
                failed=True,
            )
        except Exception:
            logger.exception("%s failed", params.name)
            return _result(
                f"{params.name} failed because of a bug; the log of `fitness mcp` has the details",
                failed=True,
            )
        return _result(answer.decode())

    return Server(
        "fitness",
        title="Fitness records",
        version=version("fitness-assets"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _result(text: str, *, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], is_error=failed
    )
