import { Exit } from "effect"
import type { Draft } from "./Draft.ts"
import type { PipelineEnv } from "./PipelineEnv.ts"
import type { Step } from "./Step.ts"
import { isOwnToken } from "./Tokens.ts"

/** Reads the session token of the header `x-umami-cache`. An invalid token counts as absent. */
export const readToken: Step = (draft, { tokens }) => {
  const sent = draft.request.headers.get("x-umami-cache")
  draft.sentToken = sent
  draft.token = tokens.verify(sent, draft.source.sent, Math.floor(draft.now / 1000))
  return Exit.void
}

/** The token that the client of a stored payload gets: the one it sent if that still holds, otherwise a new one. */
export const issueToken = (draft: Draft, { tokens }: PipelineEnv["Service"]): string => {
  const { sentToken, source, token, visit } = draft
  return token !== null &&
    token.visitId === visit.visitId &&
    token.iat === visit.visitStart &&
    isOwnToken(token, source.sent)
    ? sentToken!
    : tokens.sign(
        { websiteId: source.sent, sessionId: visit.sessionId, visitId: visit.visitId, iat: visit.visitStart },
        visit.origin
      )
}
