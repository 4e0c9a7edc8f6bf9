import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import { invalidBody, type SendBody } from "./payload.ts"
import type { Step } from "./Step.ts"

/** Checks the body as Umami 3.1 does. Unknown fields are ignored by later steps. */
export const decodeBody: Step = (draft) => {
  const tree = invalidBody(draft.body)
  if (tree !== null) return Exit.fail(Rejection.InvalidPayload({ tree }))
  const { payload, type } = draft.body as SendBody
  draft.type = type
  draft.payload = payload
  return Exit.void
}
