"""The views, one module each, whose function `show` draws it; `dashboard.app` lists them."""
