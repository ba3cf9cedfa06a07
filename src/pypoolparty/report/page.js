"use strict";
(function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const coarse = window.matchMedia("(pointer: coarse)");
  const config = { responsive: true, displaylogo: false, scrollZoom: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };

  // Colours are written as var(--name): the page's style sheet has them, for light and dark.
  function coloured(value, style) {
    if (typeof value === "string") {
      const found = /^var\((--[a-z0-9-]+)\)$/.exec(value);
      return found ? style.getPropertyValue(found[1]).trim() : value;
    }
    if (Array.isArray(value)) {
      const isOfNumbers = typeof value[0] === "number" && typeof value[value.length - 1] === "number";
      return isOfNumbers ? value : value.map((one) => coloured(one, style));
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, coloured(one, style)]));
    }
    return value;
  }

  function draw(name) {
    const plot = document.getElementById("plot-" + name);
    const figure = coloured(figures[name], getComputedStyle(document.documentElement));
    // On a touch screen a finger on a plot is to move the page.
    figure.layout.dragmode = coarse.matches ? false : "zoom";
    plot.textContent = "";
    Plotly.newPlot(plot, figure.data, figure.layout, { ...config, displayModeBar: coarse.matches ? false : "hover" });
  }

  // One at a time, from the top: in between, the page can be read and moved.
  let turn = 0;
  function drawAll() {
    const mine = ++turn;
    const left = Object.keys(figures);
    function next() {
      if (mine !== turn) return; // the colours have changed meanwhile
      const name = left.shift();
      if (name === undefined) {
        document.documentElement.dataset.drawn = "yes";
        return;
      }
      draw(name);
      document.documentElement.dataset.begun = "yes";
      setTimeout(next);
    }
    setTimeout(next);
  }

  dark.addEventListener("change", drawAll);
  drawAll();
})();
