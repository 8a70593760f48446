// The theme remembers a reader's colours. On a first visit there are none to remember: it logs an
// error, and shows the page without colours until its own script has come.
const { dataset } = document.documentElement;
if (!dataset.mode) {
  dataset.mode = "auto";
  dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
