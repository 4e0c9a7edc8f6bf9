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
/** Largest group: a quarter of a segment. */
const GROUP = SEGMENT >> 2
const MAX_BYTES = 4 * SEGMENT
const MAX_PENDING = 24
const TIMEOUT_MS = 2_000
/** How late an answer may be, in ms. */
const SWEEP_MS = 200
/** Turns of the event loop without a step of the disk, after which nothing more happens by itself. */
const QUIET_TURNS = 4
/** Seconds within which a spool must be ready again once its disk is healthy. */
const PATIENCE_S = 12
/** Seconds within which opening must succeed or fail. */
const OPEN_S = 70

/** Steps from `at` on, counted from the opening, that have this outcome. */
export interface Fault {
  readonly at: number
  readonly lasts: number
  readonly outcome: Exclude<Outcome, "done">
}

export type Command =
  /** Appends records with these numbers of characters at the same time. */
  | { readonly kind: "append"; readonly sizes: ReadonlyArray<number>; readonly wait: boolean }
  /** Trims up to this part of what was read. */
  | { readonly kind: "trim"; readonly part: number; readonly wait: boolean }
  | { readonly kind: "read" }
  /** Starts or continues to read, a few records further. */
  | { readonly kind: "follow"; readonly records: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "wake" }

export interface Generation {
  readonly faults: ReadonlyArray<Fault>
  readonly commands: ReadonlyArray<Command>
  /** `power`: the power fails at a step or at the end. `kill`: the process is killed at the end. */
  readonly end: "power" | "kill" | "close"
  /** The step at which the power fails, counted from the opening; null if it does not. */
  readonly crashAt: number | null
  /** Whether the faults stop before the end, and everything is checked. */
  readonly heals: boolean
  /** Bits that flip afterwards: segment and offset as parts of 1, and the bit. Only after everything was checked. */
  readonly flips: ReadonlyArray<{ readonly segment: number; readonly place: number; readonly bit: number }>
}

interface Appended {
  readonly record: string
  /** In bytes, with its head. */
  readonly size: number
  /** Where it ends, by `accepted()` right after it was appended; null if it was refused at once. */
  readonly promised: number | null
  /** `kept`: it was acknowledged or read, and must stay. */
  state: "waiting" | "kept" | "refused"
  isAcknowledged: boolean
  /** Where it ends; known once it was read. */
  position: number | null
}

const turn = Effect.promise(nextTurn)

/** The life of a spool over several owners and power failures. Throws when an invariant does not hold. */
export class SpoolJourney {
  readonly disk: SimulatedDisk
  readonly #folder: string
  readonly #appended: Array<Appended> = []
  readonly #indexes = new Map<string, number>()
  readonly #flipped: Array<number> = []
  /** Positions trimmed: for sure, and at most. */
  #trimmed = 0
  #mayBeTrimmed = 0
  /** The highest position that was reported as durable. */
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

  /** The number of steps of the disk. */
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

  /** Time passes, in steps as small as a spool's shortest interval. */
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
      yield* this.#run(spool, generation.commands)
      const crashed = generation.crashAt !== null && this.steps - began > generation.crashAt
      if (generation.heals && !crashed) {
        healed = true
        this.disk.wake()
        yield* this.#checkAll(spool, generation.crashAt === null)
      }
    }
    if (spool === null && generation.faults.length === 0 && generation.crashAt === null) {
      throw new Error("a spool on a healthy disk does not open")
    }
    if (generation.end === "power") this.disk.crash()
    else if (generation.end === "kill") this.disk.kill()
    const answered = yield* Deferred.make<void>()
    yield* Effect.forkChild(Effect.andThen(Scope.close(scope, Exit.void), Deferred.succeed(answered, undefined)))
    yield* this.#until("the spool closes", OPEN_S, () => Deferred.isDoneUnsafe(answered))
    yield* this.#idle
    const waiting = this.#appended.filter(({ state }) => state === "waiting")
    if (waiting.length > 0) throw new Error(`${waiting.length} records were never answered`)
    if (healed) this.#flip(generation.flips)
    // Steps that are still in progress must have no effect.
    this.disk.kill()
  })

  /** Opens the spool on a healthy disk and checks everything. */
  readonly arrive = this.live({ faults: [], commands: [], end: "close", crashAt: null, heals: true, flips: [] })

  readonly #until = Effect.fnUntraced(
    { self: this },
    function* (condition: string, seconds: number, holds: () => boolean) {
      yield* this.#idle
      for (let second = 0; !holds(); second++) {
        if (second === seconds) throw new Error(`not within ${seconds} s: ${condition}`)
        yield* this.#pass(1_000)
      }
    }
  )

  readonly #open = Effect.fnUntraced({ self: this }, function* (scope: Scope.Scope) {
    const before = this.steps
    let result: Exit.Exit<Spool, SpoolError> | null = null
    yield* openSpool({
      folder: this.#folder,
      maxPending: MAX_PENDING,
      maxBytes: MAX_BYTES,
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
    // The folder and its lock are real, which takes time.
    yield* eventually("the spool uses the disk", () => this.steps > before || result !== null)
    yield* this.#until("the spool opens or fails to", OPEN_S, () => result !== null)
    const exit = result as Exit.Exit<Spool, SpoolError> | null
    if (exit === null || exit._tag === "Failure") {
      if (exit !== null && Exit.hasDies(exit)) throw new Error(`opening died: ${exit.cause}`)
      return null
    }
    const spool = exit.value
    if (this.#id !== null && spool.id !== this.#id) throw new Error("the spool has another id")
    this.#id = spool.id
    if (spool.oldest < this.#trimmed)
      throw new Error(`the spool starts at ${spool.oldest} after a trim to ${this.#trimmed}`)
    if (spool.oldest > this.#mayBeTrimmed)
      throw new Error(`the spool is trimmed to ${spool.oldest}, which was never requested`)
    this.#trimmed = spool.oldest
    // What could not be trimmed is all there again.
    this.#mayBeTrimmed = spool.oldest
    this.#cut += spool.cut
    return spool
  })

  #append(spool: Spool, size: number): void {
    const index = this.#appended.length
    // Characters of one, two and three bytes.
    const record = `${index}:${"aäあ".repeat(size)}`.slice(0, size + String(index).length + 1)
    const before = spool.accepted()
    const answered = Effect.runPromise(spool.append(record))
    const after = spool.accepted()
    const appended: Appended = {
      record,
      size: FRAME_HEAD + Buffer.byteLength(record),
      promised: after > before ? after : null,
      state: "waiting",
      isAcknowledged: false,
      position: null
    }
    this.#appended.push(appended)
    this.#indexes.set(record, index)
    let answers = 0
    const answer = (state: "kept" | "refused") => () => {
      if (++answers > 1) throw new Error(`record ${index} was answered twice`)
      if (state === "kept") appended.isAcknowledged = true
      // What was read stays, even if the spool could not confirm that it is stored.
      if (appended.state === "waiting") appended.state = state
    }
    void answered.then(answer("kept"), answer("refused"))
  }

  readonly #run = Effect.fnUntraced({ self: this }, function* (spool: Spool, commands: ReadonlyArray<Command>) {
    let following: { readonly records: ReturnType<typeof readRecords>; readonly from: number } | null = null
    let last = -1
    for (const command of commands) {
      switch (command.kind) {
        case "append": {
          for (const size of command.sizes) this.#append(spool, size)
          const { pendingBytes, pendingRecords } = spool.status()
          if (pendingRecords > MAX_PENDING) throw new Error(`${pendingRecords} records wait`)
          if (pendingBytes > 2 * GROUP + FRAME_HEAD) throw new Error(`${pendingBytes} bytes wait`)
          if (command.wait) yield* this.#idle
          break
        }
        case "trim": {
          this.#read(spool)
          const positions = this.#appended.flatMap(({ position }) =>
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
              records: readRecords(
                "",
                from,
                spool.durable(),
                (damage) => this.#expectFlipped(damage),
                this.disk.folder
              ),
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
          if (command.ms > TIMEOUT_MS + SWEEP_MS) {
            if (this.#appended.some(({ state }) => state === "waiting")) throw new Error("a record waits too long")
            const { pendingRecords } = spool.status()
            if (pendingRecords > 0) throw new Error(`${pendingRecords} records still count as waiting`)
          }
          break
        case "wake":
          this.disk.wake()
          yield* this.#idle
      }
      this.#checkDisk()
      if (spool.durable() > spool.accepted()) throw new Error("more is durable than was accepted")
      this.#durable = Math.max(this.#durable, spool.durable())
    }
  })

  /** Checks a record that was read. Returns its index. */
  #recognize(record: string, position: number, last: number): number {
    const index = this.#indexes.get(record)
    if (index === undefined) throw new Error(`an unknown record ends at ${position}: ${record.slice(0, 40)}`)
    if (index <= last) throw new Error(`record ${index} was read after record ${last}`)
    const appended = this.#appended[index]!
    if (appended.position !== null && appended.position !== position) {
      throw new Error(`record ${index} moved from ${appended.position} to ${position}`)
    }
    if (appended.isAcknowledged && appended.promised !== position) {
      throw new Error(`record ${index} was acknowledged at ${appended.promised} and read at ${position}`)
    }
    appended.position = position
    appended.state = "kept"
    return index
  }

  #expectFlipped({ from, to }: Damage): void {
    if (!this.#flipped.some((at) => at >= from && at < to)) throw new Error(`damage was reported from ${from} to ${to}`)
  }

  /** Reads everything, and checks that nothing is missing that must be there. */
  #read(spool: Spool): void {
    const [from, to] = [this.#mayBeTrimmed, spool.durable()]
    const damages: Array<Damage> = []
    const read = new Set<number>()
    let last = -1
    for (const { payload, position } of readRecords("", from, to, (damage) => damages.push(damage), this.disk.folder)) {
      last = this.#recognize(Buffer.from(payload).toString(), position, last)
      if (position <= from || position > to)
        throw new Error(`a record ends at ${position}, not between ${from} and ${to}`)
      read.add(last)
    }
    for (const damage of damages) this.#expectFlipped(damage)
    for (const [index, { isAcknowledged, position, promised, size, state }] of this.#appended.entries()) {
      // Past `to` only while the previous owner's last records are written again.
      if (isAcknowledged && promised !== null && promised > spool.accepted()) {
        throw new Error(`record ${index} was acknowledged at ${promised}, past the end at ${spool.accepted()}`)
      }
      if (state !== "kept" || read.has(index)) continue
      if (position !== null && (position <= from || position > to)) continue
      // One that was just acknowledged, past the end of this read, is found by the next one.
      if (position === null && to < spool.accepted()) continue
      const start = position === null ? null : position - size
      const isFlipped = start !== null && this.#flipped.some((at) => at >= start && at < position!)
      const isReported = start !== null && damages.some((damage) => damage.from <= start && damage.to >= position!)
      if (isFlipped && (isReported || this.#cut > 0)) continue
      throw new Error(
        `record ${index} is lost; it was ${position === null ? "acknowledged" : `read up to ${position}`}`
      )
    }
  }

  #checkDisk(): void {
    if (this.disk.peak > MAX_BYTES) throw new Error(`the spool took ${this.disk.peak} bytes`)
  }

  /** On a healthy disk: the spool becomes ready by itself, can be read, and accepts a record. */
  readonly #checkAll = Effect.fnUntraced({ self: this }, function* (spool: Spool, appends: boolean) {
    yield* this.#idle
    for (let second = 0; !spool.status().ready || spool.durable() < spool.accepted(); second++) {
      if (second === PATIENCE_S) throw new Error(`the spool is not ready again: ${JSON.stringify(spool.status())}`)
      yield* this.#pass(1_000)
      // It may be full.
      if (second < 3) continue
      this.#read(spool)
      this.#mayBeTrimmed = Math.max(this.#mayBeTrimmed, spool.durable())
      const exit = yield* Effect.exit(spool.trim(spool.durable()))
      if (exit._tag === "Success") this.#trimmed = Math.max(this.#trimmed, spool.durable())
    }
    this.#read(spool)
    if (spool.durable() < this.#durable)
      throw new Error(`${spool.durable()} is durable, it was ${this.#durable} before`)
    this.#durable = spool.durable()
    this.#checkDisk()
    if (!appends) return
    this.#append(spool, 40)
    const appended = this.#appended.at(-1)!
    yield* this.#until("a record is answered", PATIENCE_S, () => appended.state !== "waiting")
    if (appended.state !== "kept") throw new Error("a ready spool refused a record")
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
