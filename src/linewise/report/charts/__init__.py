"""Charts: one Vega-Lite specification each, for the page and for PNG and SVG alike."""
