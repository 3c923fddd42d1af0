// A data set as a small picture, which is loaded when it becomes visible.
import { useEffect, useRef } from "preact/hooks";
import { type Dataset, url } from "../api";
import { drawOf } from "../data";
import { drawAlone } from "../stage/marks";
import { Bars } from "../tables/bars";
import { ink } from "../theme";

const SIZE = 112;
const POINTS = 500;

async function paint(canvas: HTMLCanvasElement, id: string, color: string): Promise<void> {
  const points = (await drawOf(id)).subarray(0, 2 * POINTS);
  drawAlone(canvas, points, { colors: [color], of: null }, 1.3, 0.7);
}

export function Thumbnail({ id, color }: { id: string; color?: string }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const shown = color ?? ink.value.point;
  useEffect(() => {
    const observer = new IntersectionObserver(([seen]) => {
      if (!seen?.isIntersecting) return;
      observer.disconnect();
      // If the picture cannot be loaded, the name below it remains.
      void paint(seen.target as HTMLCanvasElement, id, shown).catch(() => undefined);
    });
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, [id, shown]);
  return <canvas width={SIZE} height={SIZE} ref={ref} />;
}

const SHOWN = 4; // images in a row, and rows

/** The first images, each class in a row; the style cuts off what is below. */
export const ImageThumbnail = ({ set }: { set: Dataset }) => (
  <img
    alt=""
    loading="lazy"
    src={url(`/v1/datasets/${set.id}/images.png`, {
      n: SHOWN * (set.classes?.length ?? SHOWN),
      columns: SHOWN,
      scale: 1,
    })}
  />
);

/** Whether a data set has columns that are no two coordinates of a picture. */
export const isTable = ({ kind, dim, columns }: Dataset): boolean =>
  kind === "upload" &&
  (dim !== 2 || columns.some((each) => each.levels !== null && each.coordinate !== null));

const LINES = 4;

/** The distributions of a table's first columns. */
export function TableThumbnail({ set }: { set: Dataset }) {
  const columns = set.columns.filter((each) => each.coordinate !== null && each.histogram !== null);
  return (
    <span class="stack">
      {columns.slice(0, LINES).map((column) => (
        <Bars key={column.name} column={column} />
      ))}
    </span>
  );
}
