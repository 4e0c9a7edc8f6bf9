import type { SpoolFiles } from "./SpoolFiles.ts"

/**
 * A folder as long as it is its owner's: afterwards everything rejects, so that what a slow disk held up does not happen to the
 * next owner's files.
 */
export const untilOver = (files: SpoolFiles, isOver: () => boolean): SpoolFiles => {
  const ask = <A>(step: () => Promise<A>): Promise<A> =>
    isOver() ? Promise.reject(new Error("the log was closed")) : step()
  return {
    list: () => ask(files.list),
    read: (name) => ask(() => files.read(name)),
    create: (name) => ask(() => files.create(name)),
    rename: (from, to) => ask(() => files.rename(from, to)),
    remove: (name) => ask(() => files.remove(name)),
    syncFolder: () => ask(files.syncFolder)
  }
}
