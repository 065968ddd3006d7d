"""What the browser does differently from Streamlit. The page runs the scripts once."""

# Before Streamlit adds an entry to the browser's history for a navigation, it adds one for the view
# that is left, without its choices. This keeps one entry for each view, with its choices, so that
# Back leads to the previous view as it was.
_ONE_ENTRY_PER_VIEW = """
    const push = history.pushState.bind(history);
    const replace = history.replaceState.bind(history);
    let left = null;
    const onClick = event => { if (event.target.closest("a[href]")) left = location.href; };
    document.addEventListener("click", onClick, true);
    history.pushState = (state, title, url) => {
        if (new URL(url, location.href).pathname === location.pathname) {
            replace(state, title, url);
            return;
        }
        if (left !== null && new URL(left).pathname === location.pathname) replace({}, "", left);
        left = null;
        push(state, title, url);
    };
"""

# Streamlit closes an open list when what is around it is scrolled, also if a chart that arrives
# moves the page. This keeps the list open, and moves it back to its field, as after a resize.
_OPEN_LISTS_STAY = """
    const onScroll = event => {
        const list = document.querySelector("[role=listbox]");
        if (list === null || list.contains(event.target) || event.target.contains(list)) return;
        event.stopImmediatePropagation();
        requestAnimationFrame(() => window.dispatchEvent(new Event("resize")));
    };
    window.addEventListener("scroll", onScroll, true);
"""

#: The element that runs the scripts. It is drawn again on every rerun.
ALL = f"""
<script>
if (!window.hasScriptsOfDashboard) {{
    window.hasScriptsOfDashboard = true;
    {_ONE_ENTRY_PER_VIEW}
    {_OPEN_LISTS_STAY}
}}
</script>
"""
