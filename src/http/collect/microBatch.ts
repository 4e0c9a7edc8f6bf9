/** Tasks run together at most: enough to pay off, and the storage gets the first records while later tasks still run. */
const MAX_TASKS = 64

/**
 * Runs tasks back to back, once the readable sockets have been read or many tasks have come. If every request went from its bytes to
 * its record on its own, the processor's caches would have lost the code and data of each step by the next request: this saves a tenth
 * of the CPU under load (`bench/pipeline-cpu`). Tasks must not throw.
 */
export const makeMicroBatch = (): ((task: () => void) => void) => {
  let tasks: Array<() => void> = []
  const runAll = (): void => {
    const batch = tasks
    tasks = []
    for (const task of batch) task()
  }
  return (task) => {
    const waiting = tasks.push(task)
    if (waiting >= MAX_TASKS) runAll()
    else if (waiting === 1) setImmediate(runAll)
  }
}
