/* What Voilà's page calls while its notebook runs. Loaded before Voilà's own script. */
window.voila_heartbeat = () => {};
window.voila_process = () => {};
window.voila_finish = window.display_cells = () => {
  window.cellLoaded = true;
  if (!window.themeLoaded) return; // called again when the theme is there
  document.getElementById("loading")?.remove();
  document.getElementById("rendered_cells").hidden = false;
};
document.addEventListener("DOMContentLoaded", () => {
  window.voila_finish();
  // Voilà takes the cells into a shell of its own beside our <main>: bring it back into the landmark.
  const content = document.getElementById("content");
  const bring = () => {
    const shell = document.getElementById("main");
    if (shell && shell.parentElement !== content) content.append(shell);
  };
  new MutationObserver(bring).observe(document.body, { childList: true });
  bring();
});
