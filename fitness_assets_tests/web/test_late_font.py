"""Pages and the preload of their font."""

from pathlib import Path

import pytest
import streamlit
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from fitness_assets.web.late_font import LateFont
from fitness_assets_tests.support.asgi import Answer, request

PAGE = Path(streamlit.__file__).with_name("static") / "index.html"
PRELOAD = 'rel="preload"'


def body(answer: Answer) -> str:
    return b"".join(message.get("body", b"") for message in answer.sent).decode(errors="replace")


def test_the_page_of_streamlit_has_no_preload_of_a_font_and_all_of_its_scripts() -> None:
    page = PAGE.read_text()
    assert PRELOAD in page
    answer = request(LateFont(HTMLResponse(page)), "/")
    assert PRELOAD not in body(answer)
    assert body(answer).count("modulepreload") == page.count("modulepreload")
    assert body(answer).rstrip().endswith("</html>")
    assert answer.headers["content-length"] == str(len(body(answer).encode()))


def test_a_page_in_parts_is_sent_as_one() -> None:
    page = PAGE.read_text()
    app = StreamingResponse(iter([page[:700], page[700:]]), media_type="text/html")
    assert PRELOAD not in body(request(LateFont(app), "/"))


@pytest.mark.parametrize(
    "response",
    [
        PlainTextResponse('<link rel="preload" as="font">'),
        HTMLResponse(b"\x1f\x8bpacked", headers={"content-encoding": "gzip"}),
        Response(status_code=304),
        HTMLResponse("<p>no font</p>"),
    ],
)
def test_other_answers_are_unchanged(response: Response) -> None:
    plain, changed = request(response, "/"), request(LateFont(response), "/")
    assert changed.status == plain.status
    assert changed.headers == plain.headers
    assert body(changed) == body(plain)
