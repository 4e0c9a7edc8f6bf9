import { appendFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { guardFolder } from "../process/guard.ts"

const CHUNK = Buffer.alloc(1 << 20)

/** A small file system in memory, which can be filled. Only root may mount one, and only on Linux. */
export class SmallDisk implements Disposable {
  readonly path: string
  readonly #filler: string

  private constructor(path: string) {
    this.path = path
    this.#filler = join(path, "filler")
  }

  /** Null if this process may not mount. */
  static mount(mebibytes: number): SmallDisk | null {
    const path = mkdtempSync(join(tmpdir(), "footfall-disk-"))
    const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${mebibytes}m,mode=711`, "tmpfs", path], {
      stderr: "ignore"
    })
    if (mounted.exitCode !== 0) {
      rmSync(path, { recursive: true })
      return null
    }
    guardFolder(path, { mounted: true })
    return new SmallDisk(path)
  }

  /** Uses up all free space. */
  fill(): void {
    try {
      for (;;) appendFileSync(this.#filler, CHUNK)
    } catch {
      // No space left.
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true })
  }

  [Symbol.dispose](): void {
    Bun.spawnSync(["umount", "-l", this.path])
    rmSync(this.path, { recursive: true, force: true })
  }
}
