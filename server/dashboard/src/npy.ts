// The NPY format (numpy.lib.format), as far as the server writes it: float32, little-endian, C order.

export interface Tensor {
  shape: number[];
  data: Float32Array;
}

export function readNpy(bytes: ArrayBuffer): Tensor {
  const view = new DataView(bytes);
  if (bytes.byteLength < 10 || view.getUint32(0) !== 0x934e554d) throw new Error("not an npy file");
  const length = view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(bytes, 10, length));
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (!header.includes("'<f4'") || shape === undefined) throw new Error(`unexpected npy header ${header}`);
  const sizes = shape
    .split(",")
    .map((text) => text.trim())
    .filter(Boolean)
    .map(Number);
  return { shape: sizes, data: new Float32Array(bytes, 10 + length) };
}
