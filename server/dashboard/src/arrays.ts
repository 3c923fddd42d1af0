// Readers for the two binary array formats of the server. It writes float32, or float64 of a table, little-endian, in C order.

export interface Tensor {
  shape: number[];
  data: Float32Array;
}

/** The NPY format (numpy.lib.format). */
export function readNpy(bytes: ArrayBuffer): Tensor {
  const view = new DataView(bytes);
  if (bytes.byteLength < 10 || view.getUint32(0) !== 0x934e554d) throw new Error("not an npy file");
  const length = view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(bytes, 10, length));
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  const isDouble = header.includes("'<f8'");
  if (!(isDouble || header.includes("'<f4'")) || shape === undefined)
    throw new Error(`unexpected npy header ${header}`);
  const sizes = shape
    .split(",")
    .map((text) => text.trim())
    .filter(Boolean)
    .map(Number);
  const data = isDouble
    ? new Float32Array(new Float64Array(bytes.slice(10 + length)))
    : new Float32Array(bytes, 10 + length);
  return { shape: sizes, data };
}

interface Entry {
  shape: number[];
  data_offsets: [number, number];
}

/** Reads the arrays of a safetensors file, and the text of `answer` in its metadata. */
export function readSafetensors(bytes: ArrayBuffer): { tensors: Record<string, Tensor>; answer: string } {
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const text = new TextDecoder().decode(new Uint8Array(bytes, 8, length));
  const { __metadata__: metadata, ...entries } = JSON.parse(text) as Record<string, Entry> & {
    __metadata__: Record<string, string>;
  };
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, data_offsets: at }] of Object.entries(entries))
    tensors[name] = { shape, data: new Float32Array(bytes, 8 + length + at[0], (at[1] - at[0]) / 4) };
  return { tensors, answer: metadata.answer ?? "{}" };
}
