"""Downloads and the login that they are bound to."""

import pytest
from starlette.responses import PlainTextResponse

from fitness_assets.web.owned_media import OwnedMedia, owned_type
from fitness_assets_tests.support.asgi import request

ANNA = {"_streamlit_user": "chunks-2", "_streamlit_user_1": "an", "_streamlit_user_2": "na"}
EVE = ANNA | {"_streamlit_user_2": "other"}


@pytest.mark.parametrize(
    ("owner", "visitor", "status"),
    [
        (ANNA, ANNA, 200),
        (ANNA, ANNA | {"theme": "dark"}, 200),
        (ANNA, EVE, 403),
        (ANNA, {}, 403),
        (ANNA, {"other": "cookie"}, 403),
        ({}, {}, 200),
        ({}, ANNA, 200),
    ],
)
def test_only_the_login_of_its_owner_fetches_a_download(
    owner: dict[str, str], visitor: dict[str, str], status: int
) -> None:
    app = OwnedMedia(PlainTextResponse("days", media_type=owned_type("text/csv", owner)))
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.items())
    answer = request(app, "/media/x", [("cookie", cookie)] if visitor else [])
    assert answer.status == status
    body = b"".join(message.get("body", b"") for message in answer.sent)
    assert (b"days" in body) == (status == 200)
    assert [message["type"] for message in answer.sent].count("http.response.start") == 1
    assert status != 200 or (answer.headers.get("cache-control") == "no-store") == bool(owner)
