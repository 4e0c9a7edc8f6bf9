import type { ReadableFolder } from "../../layers/spool/readRecords.ts"
import type { SpoolFile, SpoolFiles } from "../../layers/spool/SpoolFiles.ts"

/** What a step of a disk may meet. */
export type Fault = "ENOSPC" | "EIO" | "short write" | "hang" | "crash"

/** Answers a number in [0, 1). */
export type Chance = () => number

interface Write {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** A file's bytes as they are read back, and as they are on the disk; what was written since the last sync is only in the former. */
class Inode {
  cached = new Uint8Array()
  durable = new Uint8Array()
  dirty: Array<Write> = []
}

const overwritten = (bytes: Uint8Array<ArrayBuffer>, { bytes: written, offset }: Write): Uint8Array<ArrayBuffer> => {
  const grown = new Uint8Array(Math.max(bytes.length, offset + written.length))
  grown.set(bytes)
  grown.set(written, offset)
  return grown
}

type Names = Map<string, Inode>

/** A change of the folder that is on the disk when the folder was synced, or when chance will have it. */
type NameChange = (names: Names) => void

const failure = (code: string) => Object.assign(new Error(code), { code })

/**
 * A folder on a disk that keeps what was synced and no more: a crash loses what was written since, wholly, in part, torn at any
 * byte, in any order, and what became of names since the folder was synced, each on its own. A sync that fails drops what it was to
 * write, as Linux does: it can still be read until the crash, and will never be on the disk.
 */
export class MemoryDisk {
  #names: Names = new Map()
  #durableNames: Names = new Map()
  #nameChanges: Array<NameChange> = []
  #generation = 0
  #hanging: Array<(error: Error) => void> = []
  /** Steps done so far: writes, syncs, creations, renamings, removals. */
  steps = 0
  /** Asked before each step; undefined lets it happen. */
  fault: (step: number, operation: string) => Fault | undefined = () => undefined
  readonly #chance: Chance

  constructor(chance: Chance) {
    this.#chance = chance
  }

  /** One step on the disk. A crash ends all that is under way, and this too. */
  async #step(operation: string, generation: number): Promise<"short write" | undefined> {
    // Everything on a disk takes time, so others come in between.
    await Promise.resolve()
    if (generation !== this.#generation) throw failure("EIO")
    const fault = this.fault(this.steps++, operation)
    if (fault === "crash") this.crash()
    if (fault === "hang") {
      await new Promise<never>((_, reject) => this.#hanging.push(reject))
    }
    if (generation !== this.#generation) throw failure("EIO")
    if (fault === "ENOSPC" || fault === "EIO") throw failure(fault)
    return fault === "short write" ? fault : undefined
  }

  #rename(change: NameChange): void {
    change(this.#names)
    this.#nameChanges.push(change)
  }

  #fileOf(inode: Inode, generation: number): SpoolFile {
    return {
      write: async (bytes, offset) => {
        const outcome = await this.#step("write", generation)
        const length = outcome === undefined ? bytes.length : Math.max(1, Math.floor(this.#chance() * bytes.length))
        const write = { offset, bytes: Uint8Array.from(bytes.subarray(0, length)) }
        inode.cached = overwritten(inode.cached, write)
        inode.dirty.push(write)
        return length
      },
      sync: async () => {
        try {
          await this.#step("sync", generation)
        } catch (error) {
          inode.dirty = []
          throw error
        }
        for (const write of inode.dirty) inode.durable = overwritten(inode.durable, write)
        inode.dirty = []
      },
      close: () => Promise.resolve()
    }
  }

  /** For one owner, until the next crash. */
  files(): SpoolFiles {
    const generation = this.#generation
    return {
      list: async () => [...this.#names.keys()],
      read: async (name) => {
        const inode = this.#names.get(name)
        if (inode === undefined) throw failure("ENOENT")
        return Uint8Array.from(inode.cached)
      },
      create: async (name) => {
        await this.#step("create", generation)
        const inode = new Inode()
        this.#rename((names) => names.set(name, inode))
        return this.#fileOf(inode, generation)
      },
      rename: async (from, to) => {
        await this.#step("rename", generation)
        const inode = this.#names.get(from)
        if (inode === undefined) throw failure("ENOENT")
        this.#rename((names) => {
          names.set(to, inode)
          if (names.get(from) === inode) names.delete(from)
        })
      },
      remove: async (name) => {
        await this.#step("remove", generation)
        this.#rename((names) => names.delete(name))
      },
      syncFolder: async () => {
        await this.#step("sync folder", generation)
        for (const change of this.#nameChanges) change(this.#durableNames)
        this.#nameChanges = []
      }
    }
  }

  /** What another thread reads. */
  readable(): ReadableFolder {
    return {
      list: () => [...this.#names.keys()],
      open: (name) => {
        const inode = this.#names.get(name)
        if (inode === undefined) throw failure("ENOENT")
        return {
          size: inode.cached.length,
          read: (buffer, at, length, offset) => {
            const bytes = inode.cached.subarray(offset, offset + length)
            buffer.set(bytes, at)
            return bytes.length
          },
          close: () => {}
        }
      }
    }
  }

  /** The power goes; what is left afterwards is for chance to say. */
  crash(): void {
    this.#generation++
    for (const reject of this.#hanging) reject(failure("EIO"))
    this.#hanging = []
    for (const change of this.#nameChanges) if (this.#chance() < 0.5) change(this.#durableNames)
    this.#nameChanges = []
    this.#names = new Map(this.#durableNames)
    const inodes = new Set(this.#names.values())
    for (const inode of inodes) {
      for (const { bytes, offset } of inode.dirty) {
        const fate = this.#chance()
        if (fate < 0.3) continue
        const [a, b] = [this.#chance(), this.#chance()].map((part) => Math.floor(part * (bytes.length + 1)))
        const [from, to] = fate < 0.6 ? [0, bytes.length] : [Math.min(a!, b!), Math.max(a!, b!)]
        inode.durable = overwritten(inode.durable, { offset: offset + from, bytes: bytes.subarray(from, to) })
      }
      inode.dirty = []
      inode.cached = Uint8Array.from(inode.durable)
    }
    this.#durableNames = new Map(this.#names)
  }

  /** Ends what hangs, with an error, as a disk does that gave up. */
  giveUp(): void {
    for (const reject of this.#hanging) reject(failure("EIO"))
    this.#hanging = []
  }

  /** Flips a bit of a file that is on the disk. */
  flip(name: string, bit: number): void {
    const inode = this.#names.get(name)
    if (inode === undefined) return
    const byte = bit >> 3
    for (const bytes of [inode.cached, inode.durable]) if (byte < bytes.length) bytes[byte]! ^= 1 << (bit & 7)
  }

  size(name: string): number {
    return this.#names.get(name)?.cached.length ?? 0
  }

  names(): ReadonlyArray<string> {
    return [...this.#names.keys()]
  }

  /** Bytes that all files take. */
  room(): number {
    return [...new Set(this.#names.values())].reduce((sum, { cached }) => sum + cached.length, 0)
  }
}

/** The same numbers for the same seed. */
export const seededChance = (seed: number): Chance => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}
