// As much of a page as the dashboard's modules touch when they are loaded.
import { Duplex } from "node:stream";
import { createDeflateRaw, createInflateRaw } from "node:zlib";

class Storage extends Map {
  getItem = (name) => this.get(name) ?? null;
  setItem = (name, value) => this.set(name, value);
  removeItem = (name) => this.delete(name);
}

const events = new EventTarget();
const listening = {
  addEventListener: events.addEventListener.bind(events),
  dispatchEvent: events.dispatchEvent.bind(events),
};

/** Goes to another address, as a link does. */
export function visit(hash) {
  location.hash = hash;
  events.dispatchEvent(new Event("hashchange"));
}

Object.assign(globalThis, {
  ...listening,
  window: globalThis,
  location: { hash: "", pathname: "/", href: "http://denoised.test/" },
  history: {
    pushState: (_state, _title, to) => visitSilently(to),
    replaceState: (_state, _title, to) => visitSilently(to),
  },
  document: { baseURI: "http://denoised.test/", hidden: false, documentElement: { style: {}, dataset: {} }, ...listening },
  sessionStorage: new Storage(),
  localStorage: new Storage(),
  matchMedia: () => ({ matches: false, ...listening }),
  ImageData: class {
    constructor(width, height) {
      Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
    }
  },
});

globalThis.navigator ??= {}; // which older versions of node do not have

function visitSilently(to) {
  location.hash = to.startsWith("#") ? to : "";
}

/** Node learned "deflate-raw" later than browsers did. */
function streams(Native, make) {
  return class {
    constructor(format) {
      try {
        return new Native(format);
      } catch {
        return Duplex.toWeb(make());
      }
    }
  };
}
globalThis.CompressionStream = streams(CompressionStream, createDeflateRaw);
globalThis.DecompressionStream = streams(DecompressionStream, createInflateRaw);
