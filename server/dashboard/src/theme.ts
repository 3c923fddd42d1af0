// Light or dark: the system's choice, followed live, or the reader's own. Canvases read their colours here.
import { effect, signal } from "@preact/signals";

type Choice = "auto" | "light" | "dark";
const KEY = "denoised.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

export const choice = signal<Choice>((localStorage.getItem(KEY) as Choice | null) ?? "auto");
const systemDark = signal(system.matches);
system.addEventListener("change", () => {
  systemDark.value = system.matches;
});

interface Ink {
  dark: boolean;
  text: string;
  point: string;
  estimate: string;
  line: string;
  field: string;
  accent: string;
  grid: string;
  tint: [number, number, number];
}

const LIGHT: Ink = {
  dark: false,
  text: "#4a5560",
  point: "#1f5fbf",
  estimate: "#c2570c",
  line: "rgba(31, 95, 191, 0.18)",
  field: "#3d4650",
  accent: "#b3006b",
  grid: "#e4e7eb",
  tint: [31, 95, 191],
};
const DARK: Ink = {
  dark: true,
  text: "#b4bfca",
  point: "#7cc4ff",
  estimate: "#ffb066",
  line: "rgba(124, 196, 255, 0.2)",
  field: "#d5dde5",
  accent: "#ff7ac6",
  grid: "#27303a",
  tint: [60, 130, 200],
};

export const ink = signal<Ink>(LIGHT);

effect(() => {
  const dark = choice.value === "dark" || (choice.value === "auto" && systemDark.value);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  ink.value = dark ? DARK : LIGHT;
  if (choice.value === "auto") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice.value);
});

export function toggleTheme(): void {
  choice.value = ink.value.dark ? "light" : "dark";
}
