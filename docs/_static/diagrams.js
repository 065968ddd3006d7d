// Draws the diagrams in the colours of the page. Without Mermaid their source remains.
if (window.mermaid) {
  const choice = document.body.dataset.theme;
  const dark = choice === "dark" ||
    (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  mermaid.initialize({
    startOnLoad: true,
    theme: dark ? "dark" : "neutral",
    look: "classic",
    // A wide diagram scrolls; smaller, its text could not be read.
    flowchart: { useMaxWidth: false },
  });
}
