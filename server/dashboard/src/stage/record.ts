// Saves the stage as a file: the current picture, or the animation as a video.
import { say } from "../runs";
import { ink } from "../theme";

const canvasOf = () => document.querySelector<HTMLCanvasElement>(".stage-canvas canvas")!;

export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Copies the picture onto the background of the stage, because the canvas is transparent. */
function onGround(canvas: HTMLCanvasElement, into: HTMLCanvasElement): void {
  if (into.width !== canvas.width || into.height !== canvas.height) {
    into.width = canvas.width;
    into.height = canvas.height;
  }
  const context = into.getContext("2d")!;
  context.fillStyle = ink.value.ground;
  context.fillRect(0, 0, into.width, into.height);
  context.drawImage(canvas, 0, 0);
}

export async function savePicture(name: string): Promise<void> {
  const whole = document.createElement("canvas");
  onGround(canvasOf(), whole);
  const blob = await new Promise<Blob | null>((done) => whole.toBlob(done, "image/png"));
  if (!blob) throw new Error("The browser cannot create the picture.");
  download(blob, `${name}.png`);
}

const TYPES = ["video/mp4", "video/webm"];

export const canRecord = (): boolean =>
  "MediaRecorder" in window && "captureStream" in HTMLCanvasElement.prototype;

/** Records what the stage shows until `over` resolves. */
export async function saveVideo(name: string, over: Promise<void>): Promise<void> {
  const mimeType = TYPES.find((each) => MediaRecorder.isTypeSupported(each));
  if (!mimeType) throw new Error("The browser cannot record a video.");
  const whole = document.createElement("canvas");
  onGround(canvasOf(), whole);
  const recorder = new MediaRecorder(whole.captureStream(), { mimeType, videoBitsPerSecond: 8e6 });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise<void>((done) => {
    recorder.onstop = () => done();
  });
  let frame = 0;
  const copy = () => {
    onGround(canvasOf(), whole);
    frame = requestAnimationFrame(copy);
  };
  copy();
  recorder.start();
  say("Recording the animation …");
  await over;
  cancelAnimationFrame(frame);
  recorder.stop();
  await stopped;
  download(new Blob(parts, { type: mimeType }), `${name}.${mimeType.slice(6)}`);
  say("The video has been saved.");
}
