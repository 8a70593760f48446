// Paper is white: a page that is read in the dark is printed in light colours.
{
  const root = document.documentElement;
  let read;

  function toPaper() {
    read ??= root.dataset.theme;
    root.dataset.theme = "light";
  }

  function toScreen() {
    if (read) root.dataset.theme = read;
    read = undefined;
  }

  addEventListener("beforeprint", toPaper);
  addEventListener("afterprint", toScreen);
  matchMedia("print").addEventListener("change", (media) => (media.matches ? toPaper() : toScreen()));
}
