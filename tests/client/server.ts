// A real server on a free port, in a temporary directory.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export class Server {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    readonly url: string,
  ) {}

  static async start(binary: string): Promise<Server> {
    const directory = mkdtempSync(join(tmpdir(), "denoised-client-"));
    const child = spawn(binary, ["serve", "--port", "0", "--database", join(directory, "test.db"), "--log-level", "error"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: child.stdout! })) {
      const url = /^listening on (http:\/\/\S+)$/.exec(line)?.[1];
      if (url) return new Server(child, directory, url);
    }
    throw new Error(`${binary} ended without listening`);
  }

  /** An orderly stop; its exit status. */
  async stop(): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    const status = await ended;
    rmSync(this.directory, { recursive: true });
    return status;
  }
}
