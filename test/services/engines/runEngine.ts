import { Schema } from "effect"

/** How much of a failed program's error output to show. */
const TAIL_LINES = 30
const LINE_LENGTH = 400
/** A check takes seconds; on a busy machine, ten times as long. */
export const DEADLINE_MS = 120_000

/** A program failed; the message ends with the last lines of its error output. */
export class EngineError extends Error {
  override readonly name = "EngineError"
  constructor(message: string, output: string) {
    super(`${message}\n${output}`)
  }
}

export interface EngineRun {
  readonly command: ReadonlyArray<string>
  /** Passed as JSON on standard input. */
  readonly input?: unknown
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly deadlineMs?: number | undefined
  /** Exit codes of a run with a result. */
  readonly exitCodes?: ReadonlyArray<number>
}

/** Runs a program whose last line of output is its result as JSON. */
export const runEngine = async <A>(result: Schema.Codec<A, unknown>, run: EngineRun): Promise<A> => {
  const { deadlineMs = DEADLINE_MS, exitCodes = [0] } = run
  const child = Bun.spawn([...run.command], {
    stdin: new TextEncoder().encode(JSON.stringify(run.input ?? null)),
    stdout: "pipe",
    stderr: "pipe",
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
    env: {
      PYTHONDONTWRITEBYTECODE: "1",
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: process.env["HOME"] ?? "/",
      TZ: "UTC",
      ...run.env
    },
    timeout: deadlineMs,
    killSignal: "SIGKILL"
  })
  const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  // Java's stack traces would crowd out the messages.
  const lines = errors
    .trimEnd()
    .split("\n")
    .filter((line) => !/^\s+(at|\.\.\.) /.test(line))
    .slice(-TAIL_LINES)
  const tail = lines.map((line) => line.slice(0, LINE_LENGTH)).join("\n")
  const what = run.command
    .map((part) => part.split("/").at(-1))
    .join(" ")
    .slice(-200)
  if (child.signalCode !== null) throw new EngineError(`${what} did not finish within ${deadlineMs / 1_000} s`, tail)
  if (!exitCodes.includes(code)) throw new EngineError(`${what} exited with ${code}`, tail)
  const line = output.trimEnd().split("\n").at(-1) ?? ""
  try {
    return Schema.decodeUnknownSync(result)(JSON.parse(line))
  } catch (error) {
    throw new EngineError(`${what} printed an invalid result: ${error}`, `${line.slice(0, 2_000)}\n${tail}`)
  }
}
