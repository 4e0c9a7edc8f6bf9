import { Effect, Exit } from "effect"
import type { Rejection } from "../domain/Rejection.ts"
import type { Draft } from "./Draft.ts"
import type { PipelineEnv } from "./PipelineEnv.ts"

/**
 * One step of the pipeline: fills in fields of the draft, or fails with the rejection that ends it. A step that waits for nothing
 * returns an `Exit`, which is an Effect that takes no fiber to run.
 */
export type Step = (draft: Draft, env: PipelineEnv["Service"]) => Effect.Effect<void, Rejection>

/** Runs the steps in order until one fails. The result is an `Exit` if every step's is; the last step may be direct (`lib/callbackEffect`). */
export const pipeline = (...steps: ReadonlyArray<Step>): Step => {
  const last = steps.length - 1
  const runFrom = (first: number, draft: Draft, env: PipelineEnv["Service"]): Effect.Effect<void, Rejection> => {
    for (let i = first; i < last; i++) {
      const result = steps[i]!(draft, env)
      if (result === Exit.void) continue
      if (!Exit.isExit(result))
        return Effect.andThen(
          result,
          Effect.suspend(() => runFrom(i + 1, draft, env))
        )
      if (Exit.isFailure(result)) return result
    }
    return steps[last]!(draft, env)
  }
  return (draft, env) => {
    try {
      return runFrom(0, draft, env)
    } catch (defect) {
      return Exit.die(defect)
    }
  }
}
