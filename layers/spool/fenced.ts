import type { SpoolFiles } from "./SpoolFiles.ts"

/**
 * A folder's files, for as long as this process owns the spool. Afterwards every operation rejects, so that what a slow disk delayed
 * does not touch the next owner's files.
 */
export const fenced = (files: SpoolFiles, isOver: () => boolean): SpoolFiles => {
  const guard = <A>(operation: () => Promise<A>): Promise<A> =>
    isOver() ? Promise.reject(new Error("the spool was closed")) : operation()
  return {
    list: () => guard(files.list),
    read: (name) => guard(() => files.read(name)),
    create: (name) => guard(() => files.create(name)),
    rename: (from, to) => guard(() => files.rename(from, to)),
    remove: (name) => guard(() => files.remove(name)),
    syncFolder: () => guard(files.syncFolder)
  }
}
