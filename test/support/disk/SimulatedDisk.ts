import type { ReadableFolder } from "../../../layers/spool/readRecords.ts"
import type { SpoolFile, SpoolFiles } from "../../../layers/spool/SpoolFiles.ts"

/** A number in [0, 1). */
export type Chance = () => number

/** Numbers determined by a seed (mulberry32). */
export const chanceOf = (seed: number): Chance => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

export type StepKind = "list" | "read" | "create" | "write" | "sync" | "rename" | "remove" | "syncFolder"

/** What a step results in once it no longer hangs. */
type StepResult = Exclude<Outcome, "hang" | "hangThenEIO">

/** One operation that a spool asks of the disk. */
export interface Step {
  readonly kind: StepKind
  /** The file, by the name under which it was created; empty for the folder. */
  readonly name: string
}

/**
 * The outcome of a step.
 * - `ENOSPC`, `EIO`: it fails; a write after part of its bytes. A sync that fails drops what it should have stored.
 * - `short`: a write takes part of its bytes and reports how many.
 * - `hang`: it continues when {@link SimulatedDisk.wake} is called. `hangThenEIO`: it fails then.
 */
export type Outcome = "done" | "ENOSPC" | "EIO" | "short" | "hang" | "hangThenEIO"

/** A change of a file that is not synced: bytes at an offset, or truncation. */
type Change = { readonly kind: "write"; readonly at: number; readonly bytes: Buffer } | { readonly kind: "empty" }

/** A change of the folder's entries that is not synced. Storing a new name does not require the old one to be stored. */
type Naming =
  | { readonly kind: "create"; readonly name: string; readonly file: File }
  | { readonly kind: "rename"; readonly from: string; readonly name: string; readonly file: File }
  | { readonly kind: "remove"; readonly name: string }

interface File {
  /** What readers see. */
  cached: Buffer
  /** What a power failure leaves, apart from some of the changes. */
  stored: Buffer
  changes: Array<Change>
}

const changed = (content: Buffer, change: Change): Buffer => {
  if (change.kind === "empty") return Buffer.alloc(0)
  const { at, bytes } = change
  const grown = at + bytes.length > content.length ? Buffer.alloc(at + bytes.length) : content
  if (grown !== content) content.copy(grown)
  bytes.copy(grown, at)
  return grown
}

const renamed = (names: Map<string, File>, naming: Naming): void => {
  if (naming.kind === "remove") names.delete(naming.name)
  else {
    if (naming.kind === "rename" && names.get(naming.from) === naming.file) names.delete(naming.from)
    names.set(naming.name, naming.file)
  }
}

const failed = (code: string) => Object.assign(new Error(`${code}: failure of the simulated disk`), { code })

/**
 * A folder on a disk that guarantees only what was synced. Each file has a visible and a stored content. A power failure keeps any
 * part of the unsynced writes, torn anywhere and in any order, and any of the unsynced names. A sync that fails drops what it should
 * have stored, which stays visible until the power fails, as on Linux. `decide` determines the outcome of each step.
 */
export class SimulatedDisk {
  /** Every step so far. */
  readonly steps: Array<Step> = []
  /** The largest total size of the files whose name matches {@link counted}. */
  peak = 0
  counted = /\.log$/
  #names = new Map<string, File>()
  #storedNames = new Map<string, File>()
  #namings: Array<Naming> = []
  #era = 0
  #hanging: Array<() => void> = []
  readonly #chance: Chance
  readonly #decide: (step: Step, number: number) => Outcome | "crash"

  constructor(chance: Chance, decide: (step: Step, number: number) => Outcome | "crash" = () => "done") {
    this.#chance = chance
    this.#decide = decide
  }

  /** Access to the folder until the next power failure or `kill`; afterwards its operations have no effect. */
  readonly files = (): SpoolFiles => {
    const era = this.#era
    /** `begun` applies what the disk may have begun when the power fails. */
    const step = async (kind: StepKind, name: string, begun?: () => void): Promise<StepResult> => {
      // Takes time, so that others can run in between.
      await Promise.resolve()
      if (era !== this.#era) throw failed("EPOWER")
      this.steps.push({ kind, name })
      const outcome = this.#decide({ kind, name }, this.steps.length - 1)
      if (outcome === "crash") {
        begun?.()
        this.crash()
        throw failed("EPOWER")
      }
      if (outcome !== "hang" && outcome !== "hangThenEIO") return outcome
      await new Promise<void>((resolve) => this.#hanging.push(resolve))
      if (era !== this.#era) throw failed("EPOWER")
      return outcome === "hang" ? "done" : "EIO"
    }
    const stepOrFail = async (kind: StepKind, name: string, begun?: () => void): Promise<void> => {
      const outcome = await step(kind, name, begun)
      if (outcome === "ENOSPC" || outcome === "EIO") throw failed(outcome)
    }
    const fileOf = (name: string, file: File): SpoolFile => ({
      write: async (bytes, offset) => {
        const apply = (length: number): void => {
          if (length === 0) return
          const change: Change = { kind: "write", at: offset, bytes: Buffer.from(bytes.subarray(0, length)) }
          file.cached = changed(file.cached, change)
          file.changes.push(change)
          this.#measure()
        }
        const outcome = await step("write", name, () => apply(bytes.length))
        const part = Math.floor(this.#chance() * bytes.length)
        const length = outcome === "done" ? bytes.length : outcome === "short" ? Math.max(1, part) : part
        apply(length)
        if (outcome === "ENOSPC" || outcome === "EIO") throw failed(outcome)
        return length
      },
      sync: async () => {
        // Only what was written before the call.
        const requested = new Set(file.changes)
        const outcome = await step("sync", name)
        const changes = file.changes.filter((change) => requested.has(change))
        file.changes = file.changes.filter((change) => !requested.has(change))
        if (outcome === "ENOSPC" || outcome === "EIO") {
          this.#storeSome(file, changes)
          throw failed(outcome)
        }
        for (const change of changes) file.stored = changed(file.stored, change)
      },
      close: async () => {}
    })
    return {
      list: async () => {
        await stepOrFail("list", "")
        return [...this.#names.keys()]
      },
      read: async (name) => {
        await stepOrFail("read", name)
        const file = this.#names.get(name)
        if (file === undefined) throw failed("ENOENT")
        return Buffer.from(file.cached)
      },
      create: async (name) => {
        const make = (): File => {
          const known = this.#names.get(name)
          const file = known ?? { cached: Buffer.alloc(0), stored: Buffer.alloc(0), changes: [] }
          if (known === undefined) this.#name({ kind: "create", name, file })
          else file.changes.push({ kind: "empty" })
          file.cached = Buffer.alloc(0)
          return file
        }
        await stepOrFail("create", name, make)
        return fileOf(name, make())
      },
      rename: async (from, to) => {
        const rename = () => {
          const file = this.#names.get(from)
          if (file === undefined) throw failed("ENOENT")
          this.#name({ kind: "rename", from, name: to, file })
        }
        await stepOrFail("rename", to, rename)
        rename()
      },
      remove: async (name) => {
        const remove = () => {
          if (this.#names.has(name)) this.#name({ kind: "remove", name })
        }
        await stepOrFail("remove", name, remove)
        remove()
      },
      syncFolder: async () => {
        const requested = new Set(this.#namings)
        // After a failure, the names stay in the file system's journal for the next sync.
        await stepOrFail("syncFolder", "")
        for (const naming of this.#namings) if (requested.has(naming)) renamed(this.#storedNames, naming)
        this.#namings = this.#namings.filter((naming) => !requested.has(naming))
      }
    }
  }

  /** The folder as readers see it. */
  readonly folder: ReadableFolder = {
    list: () => [...this.#names.keys()],
    open: (name) => {
      const file = this.#names.get(name)
      if (file === undefined) throw failed("ENOENT")
      return {
        size: file.cached.length,
        read: (buffer, at, length, offset) => file.cached.copy(buffer, at, offset, offset + length),
        close: () => {}
      }
    }
  }

  /** The process is killed; the system continues, so everything visible stays visible. */
  kill(): void {
    this.#era++
    this.wake()
  }

  /** The power fails and comes back. */
  crash(): void {
    this.kill()
    const files = new Set([...this.#names.values(), ...this.#storedNames.values()])
    for (const naming of this.#namings) if (naming.kind !== "remove") files.add(naming.file)
    for (const file of files) this.#storeSome(file, file.changes.splice(0))
    this.#nameSome(this.#namings.splice(0))
    for (const file of files) file.cached = Buffer.from(file.stored)
    this.#names = new Map(this.#storedNames)
  }

  /** Ends the steps that hang. */
  wake(): void {
    for (const resume of this.#hanging.splice(0)) resume()
  }

  /** Flips a bit on the disk. Returns whether the file has that byte. */
  flip(name: string, at: number, bit: number): boolean {
    const file = this.#names.get(name)
    if (file === undefined || at >= file.cached.length) return false
    const flipped = file.cached[at]! ^ (1 << bit)
    file.cached[at] = flipped
    if (at < file.stored.length) file.stored[at] = flipped
    return true
  }

  get names(): ReadonlyArray<string> {
    return [...this.#names.keys()]
  }

  /** The visible content of a file; empty if it does not exist. */
  content(name: string): Buffer {
    return this.#names.get(name)?.cached ?? Buffer.alloc(0)
  }

  #name(naming: Naming): void {
    renamed(this.#names, naming)
    this.#namings.push(naming)
    this.#measure()
  }

  #measure(): void {
    let bytes = 0
    for (const [name, file] of this.#names) if (this.counted.test(name)) bytes += file.cached.length
    this.peak = Math.max(this.peak, bytes)
  }

  /** Stores some of the changes, in any order, and some of them in part. */
  #storeSome(file: File, changes: ReadonlyArray<Change>): void {
    const all = this.#chance()
    const ordered = changes.map((change) => ({ change, at: this.#chance() }))
    if (this.#chance() < 0.5) ordered.sort((a, b) => a.at - b.at)
    for (const { change } of ordered) {
      const fate = this.#chance()
      if (all < 0.2 || (all < 0.8 && fate < 0.4)) continue
      if (change.kind === "empty" || all >= 0.8 || fate < 0.7) file.stored = changed(file.stored, change)
      else {
        const [first, second] = [this.#chance(), this.#chance()].map((part) =>
          Math.floor(part * (change.bytes.length + 1))
        )
        const [from, to] = [Math.min(first!, second!), Math.max(first!, second!)]
        const [begin, end] = this.#chance() < 0.5 ? [0, to] : [from, to]
        const bytes = change.bytes.subarray(begin, end)
        if (bytes.length > 0) file.stored = changed(file.stored, { kind: "write", at: change.at + begin, bytes })
      }
    }
  }

  #nameSome(namings: ReadonlyArray<Naming>): void {
    const all = this.#chance()
    for (const naming of namings) {
      if (all >= 0.8 || (all >= 0.2 && this.#chance() < 0.5)) renamed(this.#storedNames, naming)
    }
  }
}
