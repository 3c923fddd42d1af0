// Light or dark: the theme of the system, which can change at any time, or the user's choice. Canvases take their colors from here.
import { effect, signal } from "@preact/signals";

type Choice = "auto" | "light" | "dark";
const KEY = "denoised.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

const kept = localStorage.getItem(KEY);
export const choice = signal<Choice>(kept === "light" || kept === "dark" ? kept : "auto");
const systemDark = signal(system.matches);
system.addEventListener("change", () => {
  systemDark.value = system.matches;
});

interface Ink {
  dark: boolean;
  cover: number; // opacity of a dot; light dots on a dark background look thinner
  text: string;
  point: string;
  estimate: string;
  data: string;
  field: string;
  accent: string;
  grid: string;
  ground: string; // background of the stage
  tint: string; // color of the density
  classes: string[];
  hues: string[]; // around the color circle, with the same lightness
}

/** Colors around the color circle, starting at red. */
const circle = (count: number, lightness: number, chroma: number): string[] =>
  Array.from({ length: count }, (_, i) => `oklch(${lightness} ${chroma} ${Math.round((360 * i) / count)})`);
export const HUES = 24;

const LIGHT: Ink = {
  dark: false,
  cover: 0.8,
  text: "#4a5560",
  point: "#1f5fbf",
  estimate: "#c2570c",
  data: "#9aa7b4",
  field: "#3d4650",
  accent: "#b3006b",
  grid: "#e8ebf0",
  ground: "#ffffff",
  tint: "#4078d8",
  // Okabe and Ito's colors, which people with color blindness can distinguish.
  classes: ["#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#8c6d31", "#999999"],
  hues: circle(HUES, 0.58, 0.17),
};
const DARK: Ink = {
  dark: true,
  cover: 1,
  text: "#b4bfca",
  point: "#7cc4ff",
  estimate: "#ffb066",
  data: "#5a6876",
  field: "#d5dde5",
  accent: "#ff7ac6",
  grid: "#222c37",
  ground: "#121922",
  tint: "#3c82d2",
  // The same colors, lighter.
  classes: ["#66beff", "#ff9a58", "#3fe0b0", "#ffc04a", "#f5b3d8", "#a8e0ff", "#dcbc7a", "#d4d4d4"],
  hues: circle(HUES, 0.82, 0.15),
};

export const ink = signal<Ink>(LIGHT);

export const CLASS_COLORS = LIGHT.classes.length;
/** The color of a class by its index. If there are more classes than colors, the colors repeat. */
export const colorOf = (place: number): string => ink.value.classes[place % CLASS_COLORS]!;

effect(() => {
  const dark = choice.value === "dark" || (choice.value === "auto" && systemDark.value);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  ink.value = dark ? DARK : LIGHT;
  if (choice.value === "auto") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice.value);
});

/** Changes from auto to light, from light to dark, and from dark to auto. */
export function nextTheme(): void {
  choice.value = ({ auto: "light", light: "dark", dark: "auto" } as const)[choice.value];
}
