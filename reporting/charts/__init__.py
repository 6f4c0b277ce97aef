"""Charts as inline SVG, drawn for a width in pixels; colours come from the page's style sheet, so that they follow light and dark."""
