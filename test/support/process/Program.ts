import { until } from "../eventually.ts"
import { forgetProcess, guardProcess } from "./guard.ts"

export interface ProgramOptions {
  readonly cwd?: string
  /** All variables that it gets, in addition to the path and the home folder. */
  readonly environment?: Readonly<Record<string, string>>
  /** Run in its own process group, as a shell does: a signal to the group is like Ctrl-C. */
  readonly group?: boolean
}

/** A program as a person starts it in a terminal. */
export class Program implements AsyncDisposable {
  /** Everything that it has printed so far, on both streams. */
  output = ""
  /** What it printed on standard output. */
  out = ""
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">
  readonly #read: Promise<unknown>

  constructor(command: ReadonlyArray<string>, options: ProgramOptions = {}) {
    this.#child = Bun.spawn([...command], {
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: process.env["HOME"] ?? "",
        NO_COLOR: "1",
        TZ: "UTC",
        ...options.environment
      },
      detached: options.group ?? false,
      stdio: ["ignore", "pipe", "pipe"]
    })
    guardProcess(this.#child.pid)
    void this.#child.exited.then(() => forgetProcess(this.#child.pid))
    this.#read = Promise.all([this.#collect(this.#child.stdout, true), this.#collect(this.#child.stderr, false)])
  }

  get pid(): number {
    return this.#child.pid
  }

  /** The exit code, once everything that it printed is in `output`. */
  async ended(): Promise<number> {
    await this.#read
    return await this.#child.exited
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Like Ctrl-C in a terminal: every process of the group gets the signal. */
  interruptGroup(): void {
    process.kill(-this.#child.pid, "SIGINT")
  }

  /** The pattern's first group, as soon as a match is printed. */
  async prints(pattern: RegExp, withinMs = 30_000): Promise<string> {
    let found: RegExpExecArray | null = null
    await until(
      () => `printing ${pattern}: ${this.output}`,
      () => {
        found = pattern.exec(this.output)
        if (found === null && this.#child.exitCode !== null) {
          throw new Error(`it ended with ${this.#child.exitCode} and did not print ${pattern}: ${this.output}`)
        }
        return found !== null
      },
      withinMs
    )
    return found![1] ?? found![0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL")
    await this.#child.exited
  }

  async #collect(stream: ReadableStream<Uint8Array>, standardOutput: boolean): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true })
      this.output += text
      if (standardOutput) this.out += text
    }
  }
}

/** Runs a program to its end. */
export const run = async (
  command: ReadonlyArray<string>,
  options: ProgramOptions = {}
): Promise<{ readonly code: number; readonly out: string; readonly output: string }> => {
  const program = new Program(command, options)
  const code = await program.ended()
  return { code, out: program.out, output: program.output }
}
