// What must be true of every page in every state.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** No text of a page may have these. */
export const WORDS = String.raw`\bundefined\b|\[object|\bNaN\b|\bnull\b|\bInfinity\b`;

/** What axe finds wrong; with these rules alone, if there are any, and of this part alone. */
export async function axe(page, rules, part) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axeSource);
  const { violations } = await page.evaluate(
    ({ runOnly, part }) =>
      window.axe.run(part ? [...document.querySelectorAll(part)] : document, {
        resultTypes: ["violations"],
        ...(runOnly && { runOnly }),
      }),
    { runOnly: rules, part },
  );
  return violations.map((each) => `axe ${each.id}: ${each.nodes.map((node) => node.target).slice(0, 3).join(", ")}`);
}

/** Runs in the page. Answers with what is wrong, in words. */
export function judge({ words, isDocs }) {
  const wrong = [];
  const bad = new RegExp(words);
  const nameOf = (element) =>
    `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ""}.${String(element.className.baseVal ?? element.className).replaceAll(" ", ".")} "${(element.getAttribute("aria-label") ?? element.textContent).trim().slice(0, 30)}"`;
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: false });

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    if (bad.test(node.data) && !node.parentElement.closest("script, style") && isShown(node.parentElement))
      wrong.push(`text: ${node.data.trim().slice(0, 100)}`);
  for (const element of document.querySelectorAll("*"))
    for (const name of ["title", "aria-label", "aria-valuetext", "placeholder", "alt", "value", "href", "download"]) {
      const value = name === "value" ? element.value : element.getAttribute(name);
      const isCode = name === "value" && element.readOnly; // a command may say null
      if (typeof value === "string" && (isCode ? /undefined|\[object|NaN/ : bad).test(value))
        wrong.push(`${name} of ${nameOf(element)}: ${value.slice(0, 100)}`);
    }
  if (/\b(undefined|NaN|null|\[object)/.test(document.title)) wrong.push(`title: ${document.title}`);

  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) wrong.push(`the page is ${root.scrollWidth} pixels wide`);
  const content = Math.max(...[...document.querySelectorAll("#app > *, body > *")].map((each) => each.getBoundingClientRect().bottom + scrollY));
  if (!isDocs && root.scrollHeight > Math.max(innerHeight, content) + 16)
    wrong.push(`the page scrolls to ${root.scrollHeight}, its content ends at ${Math.round(content)}`);

  /** The part of an element that can be brought into the window, or why there is none. */
  function reach(element) {
    let { left, top, right, bottom } = element.getBoundingClientRect();
    for (let box = element.parentElement; box && box !== root; box = box.parentElement) {
      if (box === document.body) break;
      const { overflowX, overflowY } = getComputedStyle(box);
      if (overflowX === "visible" && overflowY === "visible") continue;
      const frame = box.getBoundingClientRect();
      const scrolls = (overflow, size, room) => /auto|scroll/.test(overflow) && size > room;
      if (scrolls(overflowX, box.scrollWidth, box.clientWidth)) [left, right] = [frame.left, frame.right];
      else if (left < frame.left - 2 || right > frame.right + 2) return `is cut at the side by ${nameOf(box)}`;
      if (scrolls(overflowY, box.scrollHeight, box.clientHeight)) [top, bottom] = [frame.top, frame.bottom];
      else if (top < frame.top - 2 || bottom > frame.bottom + 2) return `is cut above or below by ${nameOf(box)}`;
      if (getComputedStyle(box).position === "fixed" || box.tagName === "DIALOG") break;
    }
    const down = root.scrollHeight > innerHeight ? root.scrollHeight : innerHeight;
    if (left < -1 || right > innerWidth + 1) return "is outside of the window at the side";
    if (top + scrollY < -1 || bottom + scrollY > down + 1) return "is outside of the window above or below";
    return "";
  }

  const dialogs = [...document.querySelectorAll("dialog[open]")];
  const stage = document.querySelector(".stage .track");
  if (stage && !isDocs && dialogs.length === 0) {
    scrollTo(0, 0);
    for (const element of stage.querySelectorAll("button, input")) {
      const { top, bottom } = element.getBoundingClientRect();
      if (isShown(element) && (top < 0 || bottom > innerHeight)) wrong.push(`${nameOf(element)} of the player is outside of the window`);
    }
  }
  const scope = dialogs.at(-1) ?? document;
  const controls = scope.querySelectorAll("button, a[href], input, select, textarea, summary, [tabindex='0']");
  for (const element of controls) {
    if (!isShown(element) || element.closest(".skip")) continue;
    const { width, height } = element.getBoundingClientRect();
    if (width < 4 || height < 4) continue; // hidden behind its label
    const why = reach(element);
    if (why) {
      wrong.push(`${nameOf(element)} ${why}`);
      continue;
    }
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const box = element.getClientRects()[0];
    const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (!hit || !(element.contains(hit) || hit.contains(element) || hit.closest("label")?.control === element))
      wrong.push(`${nameOf(element)} is covered by ${hit ? nameOf(hit) : "nothing"}`);
  }
  for (const element of document.querySelectorAll("*")) if (element.scrollTop > 0) element.scrollTop = 0;
  scrollTo(0, 0);
  return wrong;
}
