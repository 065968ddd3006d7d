"""The dashboard's server: `app.py` behind the gate that refuses pages of other sites.

A host such as Streamlit Community Cloud runs `app.py`, behind its own proxy. Then only the
websockets are checked, which carry all data (`visitor.is_on_foreign_page`).
"""

import sys
from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

if (root := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.append(root)

from fitness_assets.errors import SettingsError
from fitness_assets.settings import DashboardSettings
from fitness_assets.web.gate import OriginGate
from fitness_assets.web.late_font import LateFont
from fitness_assets.web.owned_media import OwnedMedia

#: Nothing is loaded from another host. Vega compiles the expressions of charts, which takes eval.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)


def _site() -> str | None:
    try:
        return DashboardSettings.from_env().site
    except SettingsError:
        # The page shows the error; without a site it is served on loopback only.
        return None


app = App(
    Path(__file__).with_name("app.py"),
    middleware=[
        Middleware(OriginGate, site=_site(), data_paths=("/_stcore/", "/media/"), policy=_POLICY),
        Middleware(OwnedMedia),
        Middleware(LateFont),
    ],
)
