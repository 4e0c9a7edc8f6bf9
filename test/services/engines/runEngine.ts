import { Schema } from "effect"

/** What of its error output tells why a program failed. */
const TAIL_LINES = 30
const LINE_LENGTH = 400
/** A checker of ours answers in seconds; a machine that does much else may take ten times as long. */
export const DEADLINE_MS = 120_000

/** A foreign program did not do what it was asked; the message ends with the last lines of its error output. */
export class EngineError extends Error {
  override readonly name = "EngineError"
  constructor(message: string, output: string) {
    super(`${message}\n${output}`)
  }
}

export interface EngineRun {
  readonly command: ReadonlyArray<string>
  /** Given as JSON on standard input. */
  readonly input?: unknown
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly deadlineMs?: number | undefined
  /** Exit codes that come with an answer. */
  readonly answersWith?: ReadonlyArray<number>
}

/** Runs a program whose last line of output is its answer as JSON. */
export const runEngine = async <A>(answer: Schema.Codec<A, unknown>, run: EngineRun): Promise<A> => {
  const { deadlineMs = DEADLINE_MS, answersWith = [0] } = run
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
  // Java's stacks would push out what they are about.
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
  if (child.signalCode !== null) throw new EngineError(`${what} gave no answer within ${deadlineMs / 1_000} s`, tail)
  if (!answersWith.includes(code)) throw new EngineError(`${what} ended with ${code}`, tail)
  const line = output.trimEnd().split("\n").at(-1) ?? ""
  try {
    return Schema.decodeUnknownSync(answer)(JSON.parse(line))
  } catch (error) {
    throw new EngineError(`${what} gave an answer that can't be read: ${error}`, `${line.slice(0, 2_000)}\n${tail}`)
  }
}
