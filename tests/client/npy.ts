// Reads what the server writes as .npy: float32, C order.

export function readNpy(bytes: ArrayBuffer): { shape: number[]; values: Float32Array } {
  const view = new DataView(bytes);
  const magic = String.fromCharCode(...new Uint8Array(bytes, 1, 5));
  if (view.getUint8(0) !== 0x93 || magic !== "NUMPY") throw new Error("not a .npy file");
  const length = view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(new Uint8Array(bytes, 10, length));
  const fields = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([^)]*)\), \} *\n$/.exec(header);
  if (!fields) throw new Error(`unexpected header ${header}`);
  const shape = fields[1]!.split(",").filter((word) => word.trim()).map(Number);
  return { shape, values: new Float32Array(bytes.slice(10 + length)) };
}
