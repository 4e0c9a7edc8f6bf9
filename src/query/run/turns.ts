import { Effect } from "effect"

/**
 * A place before work that takes milliseconds. At most one who waits goes on in each turn of the event loop, so that a page with many questions
 * does not keep events waiting for all of them together.
 */
export const makeTurns = (): Effect.Effect<void> => {
  const waiting: Array<() => void> = []
  let isScheduled = false
  const next = (): void => {
    const resume = waiting.shift()
    isScheduled = resume !== undefined
    if (resume === undefined) return
    setImmediate(next)
    resume()
  }
  return Effect.callback<void>((resume) => {
    const goOn = () => resume(Effect.void)
    waiting.push(goOn)
    if (!isScheduled) {
      isScheduled = true
      setImmediate(next)
    }
    return Effect.sync(() => {
      const index = waiting.indexOf(goOn)
      if (index !== -1) waiting.splice(index, 1)
    })
  })
}
