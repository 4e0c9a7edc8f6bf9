import { Deferred, Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { FRAME_HEAD } from "../../../layers/spool/frames.ts"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { openSpool, type Spool } from "../../../layers/spool/Spool.ts"
import type { SpoolError } from "../../../layers/spool/SpoolError.ts"
import type { Damage } from "../../../layers/spool/scan.ts"
import { segmentName, segmentStarts } from "../../../layers/spool/segmentNames.ts"
import { eventually, nextTurn } from "../eventually.ts"
import { type Chance, chanceOf, type Outcome, SimulatedDisk, type Step } from "./SimulatedDisk.ts"

export const SEGMENT = 16 << 10
/** A quarter of a segment: what the log gathers at most. */
const GROUP = SEGMENT >> 2
const MOST_BYTES = 4 * SEGMENT
const MOST_PENDING = 24
const TIMEOUT_MS = 2_000
/** How late an answer may be. */
const SWEEP_MS = 200
/** Turns of the event loop without a step of the disk after which nothing goes on by itself. */
const QUIET_TURNS = 4
/** Seconds after which a log that has a well disk again is ready again. */
const PATIENCE_S = 12
/** Seconds after which an opening has to be over, one way or the other. */
const OPEN_S = 70

/** Steps from `at` on, counted from the opening, that do not go well. */
export interface Fault {
  readonly at: number
  readonly lasts: number
  readonly outcome: Exclude<Outcome, "done">
}

export type Command =
  /** Records of so many characters, given at once. */
  | { readonly kind: "append"; readonly sizes: ReadonlyArray<number>; readonly wait: boolean }
  /** Gives up what was read, up to a part of it. */
  | { readonly kind: "trim"; readonly part: number; readonly wait: boolean }
  | { readonly kind: "read" }
  /** Begins to read, or goes on, a few records further. */
  | { readonly kind: "follow"; readonly records: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "wake" }

export interface Generation {
  readonly faults: ReadonlyArray<Fault>
  readonly commands: ReadonlyArray<Command>
  /** `power`: the power fails at a step, or at the end; `kill`: the process does at the end. */
  readonly end: "power" | "kill" | "close"
  /** The step at which the power fails, counted from the opening; null for the end. */
  readonly crashAt: number | null
  /** Whether faults end before the end, and everything is looked at. */
  readonly heals: boolean
  /** Bits that turn over afterwards: which segment, where in it (parts of 1), which bit. Only where everything was looked at. */
  readonly flips: ReadonlyArray<{ readonly segment: number; readonly place: number; readonly bit: number }>
}

interface Given {
  readonly text: string
  /** In bytes, with its head. */
  readonly size: number
  /** `kept`: it was acknowledged, or read, and has to stay. */
  state: "waiting" | "kept" | "refused"
  /** Where it ends; known when it was read. */
  position: number | null
}

const turn = Effect.promise(nextTurn)

/** The life of a log, over owners and power failures, and what has to hold all the while. Throws what does not. */
export class SpoolJourney {
  readonly disk: SimulatedDisk
  readonly #folder: string
  readonly #given: Array<Given> = []
  readonly #indexes = new Map<string, number>()
  readonly #flipped: Array<number> = []
  /** Positions given up: for certain, and at most. */
  #trimmed = 0
  #mayBeTrimmed = 0
  /** The highest position that was told to be on the disk. */
  #durable = 0
  #cut = 0
  #id: string | null = null
  #decide: (step: Step, number: number) => Outcome | "crash" = () => "done"

  constructor(folder: string, seed: number) {
    const chance: Chance = chanceOf(seed)
    this.#folder = folder
    this.disk = new SimulatedDisk(chance, (step, number) => this.#decide(step, number))
    this.disk.counted = /\.log$|^next\.tmp$/
  }

  /** How many steps the disk was asked for. */
  get steps(): number {
    return this.disk.steps.length
  }

  readonly #idle = Effect.gen({ self: this }, function* () {
    for (let quiet = 0, known = this.steps; quiet < QUIET_TURNS; quiet++) {
      yield* turn
      if (this.steps !== known) quiet = 0
      known = this.steps
    }
  })

  /** Time goes by, in steps that a log reckons with. */
  readonly #pass = (ms: number) =>
    Effect.gen({ self: this }, function* () {
      for (let left = ms; left > 0; left -= 100) {
        yield* TestClock.adjust(Math.min(100, left))
        yield* turn
      }
      yield* this.#idle
    })

  readonly live = Effect.fnUntraced({ self: this }, function* (generation: Generation) {
    const began = this.steps
    let healed = false
    this.#decide = (_, number) => {
      if (healed) return "done"
      const step = number - began
      if (step === generation.crashAt) return "crash"
      return generation.faults.find(({ at, lasts }) => step >= at && step < at + lasts)?.outcome ?? "done"
    }
    const scope = yield* Scope.make()
    const spool = yield* this.#open(scope)
    if (spool !== null) {
      yield* this.#obey(spool, generation.commands)
      const crashed = generation.crashAt !== null && this.steps - began > generation.crashAt
      if (generation.heals && !crashed) {
        healed = true
        this.disk.wake()
        yield* this.#lookAtAll(spool, generation.crashAt === null)
      }
    }
    if (spool === null && generation.faults.length === 0 && generation.crashAt === null) {
      throw new Error("a log on a disk that is well does not open")
    }
    if (generation.end === "power") this.disk.crash()
    else if (generation.end === "kill") this.disk.kill()
    const answered = yield* Deferred.make<void>()
    yield* Effect.forkChild(Effect.andThen(Scope.close(scope, Exit.void), Deferred.succeed(answered, undefined)))
    yield* this.#until("the log closes", OPEN_S, () => Deferred.isDoneUnsafe(answered))
    yield* this.#idle
    const waiting = this.#given.filter(({ state }) => state === "waiting")
    if (waiting.length > 0) throw new Error(`${waiting.length} records were never answered`)
    if (healed) this.#flip(generation.flips)
    // Steps that are still on their way find nobody.
    this.disk.kill()
  })

  /** Opens the log on a disk that is well, and looks at everything. */
  readonly arrive = this.live({ faults: [], commands: [], end: "close", crashAt: null, heals: true, flips: [] })

  readonly #until = Effect.fnUntraced({ self: this }, function* (what: string, seconds: number, holds: () => boolean) {
    yield* this.#idle
    for (let second = 0; !holds(); second++) {
      if (second === seconds) throw new Error(`did not happen within ${seconds} s: ${what}`)
      yield* this.#pass(1_000)
    }
  })

  readonly #open = Effect.fnUntraced({ self: this }, function* (scope: Scope.Scope) {
    const before = this.steps
    let result: Exit.Exit<Spool, SpoolError> | null = null
    yield* openSpool({
      folder: this.#folder,
      maxPending: MOST_PENDING,
      maxBytes: MOST_BYTES,
      timeoutMs: TIMEOUT_MS,
      segmentBytes: SEGMENT,
      files: this.disk.files
    }).pipe(
      Scope.provide(scope),
      Effect.exit,
      Effect.flatMap((exit) =>
        Effect.sync(() => {
          result = exit
        })
      ),
      Effect.forkIn(scope)
    )
    // The folder itself and its lock are real, which takes its time.
    yield* eventually("the log asks for something", () => this.steps > before || result !== null)
    yield* this.#until("the log opens or says why not", OPEN_S, () => result !== null)
    const exit = result as Exit.Exit<Spool, SpoolError> | null
    if (exit === null || exit._tag === "Failure") {
      if (exit !== null && Exit.hasDies(exit)) throw new Error(`opening died: ${exit.cause}`)
      return null
    }
    const spool = exit.value
    if (this.#id !== null && spool.id !== this.#id) throw new Error("the log has another id")
    this.#id = spool.id
    if (spool.oldest < this.#trimmed)
      throw new Error(`${spool.oldest} is the oldest after ${this.#trimmed} was given up`)
    if (spool.oldest > this.#mayBeTrimmed) throw new Error(`${spool.oldest} was given up, nobody said so`)
    this.#trimmed = spool.oldest
    // What could not be given up is there again, all of it.
    this.#mayBeTrimmed = spool.oldest
    this.#cut += spool.cut
    return spool
  })

  #append(spool: Spool, size: number): void {
    const index = this.#given.length
    // Of one, two and three bytes each.
    const text = `${index}:${"aäあ".repeat(size)}`.slice(0, size + String(index).length + 1)
    const given: Given = { text, size: FRAME_HEAD + Buffer.byteLength(text), state: "waiting", position: null }
    this.#given.push(given)
    this.#indexes.set(text, index)
    let answers = 0
    const answer = (state: "kept" | "refused") => () => {
      if (++answers > 1) throw new Error(`record ${index} was answered twice`)
      // What was read stays, even when the log could not tell that it is there.
      if (given.state === "waiting") given.state = state
    }
    void Effect.runPromise(spool.append(text)).then(answer("kept"), answer("refused"))
  }

  readonly #obey = Effect.fnUntraced({ self: this }, function* (spool: Spool, commands: ReadonlyArray<Command>) {
    let following: { readonly records: ReturnType<typeof readRecords>; readonly from: number } | null = null
    let last = -1
    for (const command of commands) {
      switch (command.kind) {
        case "append": {
          for (const size of command.sizes) this.#append(spool, size)
          const { pendingBytes, pendingRecords } = spool.status()
          if (pendingRecords > MOST_PENDING) throw new Error(`${pendingRecords} records wait`)
          if (pendingBytes > 2 * GROUP + FRAME_HEAD) throw new Error(`${pendingBytes} bytes wait`)
          if (command.wait) yield* this.#idle
          break
        }
        case "trim": {
          this.#read(spool)
          const positions = this.#given.flatMap(({ position }) =>
            position === null || position > spool.durable() ? [] : [position]
          )
          const upTo = positions[Math.floor(command.part * positions.length)] ?? 0
          if (upTo <= this.#trimmed || (following !== null && upTo > following.from)) break
          this.#mayBeTrimmed = Math.max(this.#mayBeTrimmed, upTo)
          const done = Effect.runPromise(Effect.exit(spool.trim(upTo))).then((exit) => {
            if (exit._tag === "Success") this.#trimmed = Math.max(this.#trimmed, upTo)
          })
          void done
          if (command.wait) yield* this.#idle
          break
        }
        case "read":
          this.#read(spool)
          break
        case "follow": {
          if (following === null) {
            const from = this.#mayBeTrimmed
            following = {
              records: readRecords("", from, spool.durable(), (damage) => this.#suffer(damage), this.disk.folder),
              from
            }
            last = -1
          }
          for (let left = command.records; left > 0; left--) {
            const next = following.records.next()
            if (next.done === true) {
              following = null
              break
            }
            last = this.#recognize(Buffer.from(next.value.payload).toString(), next.value.position, last)
          }
          break
        }
        case "pass":
          yield* this.#pass(command.ms)
          if (command.ms > TIMEOUT_MS + SWEEP_MS && this.#given.some(({ state }) => state === "waiting")) {
            throw new Error("a record waits longer than it may")
          }
          break
        case "wake":
          this.disk.wake()
          yield* this.#idle
      }
      this.#checkDisk()
      if (spool.durable() > spool.accepted()) throw new Error("more is on the disk than was accepted")
      this.#durable = Math.max(this.#durable, spool.durable())
    }
  })

  /** A record that was read: its index. */
  #recognize(text: string, position: number, last: number): number {
    const index = this.#indexes.get(text)
    if (index === undefined)
      throw new Error(`a record was read that nobody gave, before ${position}: ${text.slice(0, 40)}`)
    if (index <= last) throw new Error(`record ${index} was read after record ${last}`)
    const given = this.#given[index]!
    if (given.position !== null && given.position !== position) {
      throw new Error(`record ${index} moved from ${given.position} to ${position}`)
    }
    given.position = position
    given.state = "kept"
    return index
  }

  #suffer({ from, to }: Damage): void {
    if (!this.#flipped.some((at) => at >= from && at < to)) throw new Error(`damage was told from ${from} to ${to}`)
  }

  /** Reads all that is there, and finds what has to be there up to what was read. */
  #read(spool: Spool): void {
    const [from, to] = [this.#mayBeTrimmed, spool.durable()]
    const damages: Array<Damage> = []
    const read = new Set<number>()
    let last = -1
    for (const { payload, position } of readRecords("", from, to, (damage) => damages.push(damage), this.disk.folder)) {
      last = this.#recognize(Buffer.from(payload).toString(), position, last)
      if (position <= from || position > to) throw new Error(`${position} is not between ${from} and ${to}`)
      read.add(last)
    }
    for (const damage of damages) this.#suffer(damage)
    for (const [index, { position, size, state }] of this.#given.entries()) {
      if (state !== "kept" || read.has(index)) continue
      if (position !== null && (position <= from || position > to)) continue
      // One that was acknowledged just now, and stands where this reading did not go, is found by the next one.
      if (position === null && to < spool.accepted()) continue
      const start = position === null ? null : position - size
      const isFlipped = start !== null && this.#flipped.some((at) => at >= start && at < position!)
      const isTold = start !== null && damages.some((damage) => damage.from <= start && damage.to >= position!)
      if (isFlipped && (isTold || this.#cut > 0)) continue
      throw new Error(
        `record ${index} is lost; it was ${position === null ? "acknowledged" : `read before ${position}`}`
      )
    }
  }

  #checkDisk(): void {
    if (this.disk.peak > MOST_BYTES) throw new Error(`the log took ${this.disk.peak} bytes`)
  }

  /** On a disk that is well: the log gets ready by itself, is read, and takes a record. */
  readonly #lookAtAll = Effect.fnUntraced({ self: this }, function* (spool: Spool, appends: boolean) {
    yield* this.#idle
    for (let second = 0; !spool.status().ready || spool.durable() < spool.accepted(); second++) {
      if (second === PATIENCE_S) throw new Error(`the log is not ready again: ${JSON.stringify(spool.status())}`)
      yield* this.#pass(1_000)
      // Perhaps it is full.
      if (second < 3) continue
      this.#read(spool)
      this.#mayBeTrimmed = Math.max(this.#mayBeTrimmed, spool.durable())
      const exit = yield* Effect.exit(spool.trim(spool.durable()))
      if (exit._tag === "Success") this.#trimmed = Math.max(this.#trimmed, spool.durable())
    }
    this.#read(spool)
    if (spool.durable() < this.#durable) throw new Error(`${spool.durable()} is on the disk, it was ${this.#durable}`)
    this.#durable = spool.durable()
    this.#checkDisk()
    if (!appends) return
    this.#append(spool, 40)
    const [given] = this.#given.slice(-1)
    yield* this.#until("a record is answered", PATIENCE_S, () => given!.state !== "waiting")
    if (given!.state !== "kept") throw new Error("a log that is ready refused a record")
    this.#read(spool)
    this.#durable = spool.durable()
  })

  #flip(flips: Generation["flips"]): void {
    for (const { bit, place, segment } of flips) {
      const starts = segmentStarts(this.disk.names)
      const index = Math.floor(segment * starts.length)
      const start = starts[index]
      if (start === undefined) continue
      const end = Math.min(starts[index + 1] ?? Number.POSITIVE_INFINITY, Math.max(this.#durable, start + 1))
      const at = start + Math.floor(place * (end - start))
      if (this.disk.flip(segmentName(start), at - start, bit)) this.#flipped.push(at)
    }
  }
}
