// Draws the diagrams in the colours of the page. Without Mermaid their source remains.
if (window.mermaid) {
  const choice = document.body.dataset.theme;
  const dark = choice === "dark" ||
    (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  mermaid.initialize({ startOnLoad: false, theme: dark ? "dark" : "neutral", look: "classic" });
  mermaid.run().then(() => {
    for (const drawing of document.querySelectorAll("pre.mermaid svg")) {
      // Smaller, the text of a wide diagram could not be read. The diagram scrolls instead.
      drawing.style.minWidth = `${0.6 * drawing.viewBox.baseVal.width}px`;
    }
  });
}
