// Colour scales that colour-blind people can read: one hue from paper to ink, and blue against orange.

const STOPS = {
  light: {
    share: ["#f3f6f9", "#b9d8ec", "#4f9fd0", "#0072b2", "#063a5c"],
    signed: ["#8a3a00", "#d97a1f", "#f6c995", "#f7f7f5", "#a5cfe8", "#2f86bd", "#073f66"],
  },
  dark: {
    share: ["#161c23", "#143b55", "#1b6ea3", "#56b4e9", "#e4f5ff"],
    signed: ["#ffc27a", "#d9822b", "#6b3d14", "#171c22", "#14496e", "#3492cf", "#aee0ff"],
  },
};

export const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

const parsed = new Map();
function table(kind) {
  const key = `${kind}${isDark()}`;
  if (!parsed.has(key)) parsed.set(key, ramp(STOPS[isDark() ? "dark" : "light"][kind]));
  return parsed.get(key);
}

/** 256 colours between the stops, as flat bytes. */
function ramp(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const colours = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (rgb.length - 1);
    const low = Math.min(rgb.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) colours[3 * i + c] = rgb[low][c] + (at - low) * (rgb[low + 1][c] - rgb[low][c]);
  }
  return colours;
}

/** A scale: `share` from 0 to `most`, `signed` from -`most` to `most`. Gives the position of a value in it, 0…255. */
export function scale(kind, most = 1) {
  const colours = table(kind);
  const place = kind === "share" ? (x) => x / most : (x) => 0.5 + x / (2 * most);
  return { colours, at: (x) => Math.max(0, Math.min(255, Math.round(255 * place(x)))) };
}

/** Colours for a number on its own: background and a text that stands out from it. */
export function chip(x, kind, most = 1) {
  const { colours, at } = scale(kind, most);
  const [r, g, b] = colours.slice(3 * at(x), 3 * at(x) + 3);
  const [red, green, blue] = [r, g, b].map((byte) => (byte / 255) ** 2.2);
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18; // where black and white stand out alike
  return { back: `rgb(${r}, ${g}, ${b})`, ink: light ? "#000000" : "#ffffff" };
}

/** A colour of the style sheet, such as `--ink`. */
export const styled = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
