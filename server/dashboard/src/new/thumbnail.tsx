// A data set as a small picture, which is loaded when it becomes visible.
import { useEffect, useRef } from "preact/hooks";
import { type Dataset, getBytes, url } from "../api";
import { drawOf } from "../data";
import { drawAlone } from "../stage/marks";
import { Bars } from "../tables/bars";
import { ink } from "../theme";

const SIZE = 112;
const POINTS = 500;
const IMAGES = { columns: 3, n: 9, scale: 1 };

async function paintImages(canvas: HTMLCanvasElement, id: string): Promise<void> {
  const bytes = await getBytes(url(`/v1/datasets/${id}/images.png`, IMAGES));
  const picture = await createImageBitmap(new Blob([bytes]));
  const context = canvas.getContext("2d")!;
  const side = Math.max(picture.width, picture.height); // there may be fewer rows
  context.imageSmoothingEnabled = side > SIZE;
  const [width, height] = [(picture.width * SIZE) / side, (picture.height * SIZE) / side];
  context.drawImage(picture, (SIZE - width) / 2, (SIZE - height) / 2, width, height);
}

async function paintPoints(canvas: HTMLCanvasElement, id: string, color: string): Promise<void> {
  const points = (await drawOf(id)).subarray(0, 2 * POINTS);
  drawAlone(canvas, points, { colors: [color], of: null }, 1.3, 0.7);
}

interface Of {
  id: string;
  color?: string;
  hasImages?: boolean; // instead of points
}

export function Thumbnail({ id, color, hasImages = false }: Of) {
  const ref = useRef<HTMLCanvasElement>(null);
  const shown = color ?? ink.value.point;
  useEffect(() => {
    const observer = new IntersectionObserver(([seen]) => {
      if (!seen?.isIntersecting) return;
      observer.disconnect();
      // If the picture cannot be loaded, the name below it remains.
      const canvas = seen.target as HTMLCanvasElement;
      const painted = hasImages ? paintImages(canvas, id) : paintPoints(canvas, id, shown);
      void painted.catch(() => undefined);
    });
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, [id, shown, hasImages]);
  return <canvas width={SIZE} height={SIZE} ref={ref} />;
}

/** Whether a data set has columns that are no two coordinates of a picture. */
export const isTable = ({ kind, dim, columns }: Dataset): boolean =>
  kind === "upload" && // not images
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
