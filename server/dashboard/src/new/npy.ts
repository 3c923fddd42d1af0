// Reads the header of an NPY file (numpy.lib.format), and its elements as text for the preview. The server reads the file itself.

export interface Npy {
  rows: number;
  columns: number;
  /** Element [row][column], with the fewest digits that give the same number. */
  cell(row: number, column: number): string;
}

type Get = (view: DataView, at: number, little: boolean) => number | bigint;

/** A float32, rounded to the fewest digits that still give the same float32. */
function shortest(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return text;
  }
  return value;
}

const ELEMENTS: Record<string, [size: number, get: Get]> = {
  f4: [4, (view, at, little) => shortest(view.getFloat32(at, little))],
  f8: [8, (view, at, little) => view.getFloat64(at, little)],
  i1: [1, (view, at) => view.getInt8(at)],
  i2: [2, (view, at, little) => view.getInt16(at, little)],
  i4: [4, (view, at, little) => view.getInt32(at, little)],
  i8: [8, (view, at, little) => view.getBigInt64(at, little)],
  u1: [1, (view, at) => view.getUint8(at)],
  u2: [2, (view, at, little) => view.getUint16(at, little)],
  u4: [4, (view, at, little) => view.getUint32(at, little)],
  u8: [8, (view, at, little) => view.getBigUint64(at, little)],
};

export const isNpy = (bytes: Uint8Array): boolean =>
  bytes.length > 10 && [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59].every((each, i) => bytes[i] === each);

/** Throws an error for the user if the file is invalid. */
export function openNpy(bytes: ArrayBuffer): Npy {
  const view = new DataView(bytes);
  const isLong = view.getUint8(6) > 1;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  if (start + length > bytes.byteLength) throw new Error("The header of this NPY file is incomplete.");
  const header = new TextDecoder().decode(new Uint8Array(bytes, start, length));
  const [, order = "", type = ""] = /'descr': *'([<>|=]?)(\w+)'/.exec(header) ?? [];
  const element = ELEMENTS[type];
  if (!element)
    throw new Error("This NPY file does not contain plain numbers. Save an array of floats or integers.");
  const shape = /'shape': *\(([^)]*)\)/.exec(header)?.[1] ?? "";
  const sizes = shape.split(",").flatMap((text) => (text.trim() ? [Number(text)] : []));
  if (sizes.length < 1 || sizes.length > 2)
    throw new Error(
      `This array has ${sizes.length} dimensions. A data set must have two: points and coordinates.`,
    );
  const [rows = 0, columns = 1] = sizes;
  const [size, get] = element;
  if (start + length + rows * columns * size > bytes.byteLength)
    throw new Error("This NPY file ends before its last value.");
  const isFortran = /'fortran_order': *True/.test(header);
  const place = (row: number, column: number) => (isFortran ? column * rows + row : row * columns + column);
  return {
    rows,
    columns,
    cell: (row, column) => String(get(view, start + length + size * place(row, column), order !== ">")),
  };
}
