// Draws every chart; one that fails says so in its place and on the console.
for (const [name, spec] of Object.entries(charts)) {
  const place = document.getElementById(`chart-${name}`);
  const bind = document.getElementById(`menu-${name}`);
  vegaEmbed(place, spec, { renderer: "svg", actions: false, bind }).catch((error) => {
    place.textContent = "This chart could not be drawn: see its SVG file.";
    console.error(name, error);
  });
}
