import { expect, test } from "bun:test"
import { describeFailure } from "../../../layers/oidc/failure.ts"

const withCode = (code: string, message: string, cause: string) =>
  Object.assign(new Error(message, { cause: new Error(cause) }), { code })

test("the log says why single sign-on failed, each part once, and as a sentence", () => {
  const refused = withCode("ECONNREFUSED", "ECONNREFUSED", "Unable to connect. Is the computer able to access the url?")
  expect(describeFailure(refused)).toBe("ECONNREFUSED: Unable to connect. Is the computer able to access the url?")
  const unreachable = Object.assign(new Error("ECONNREFUSED: Unable to connect."), { code: "ECONNREFUSED" })
  expect(describeFailure(unreachable)).toBe("ECONNREFUSED: Unable to connect.")
  expect(describeFailure(withCode("OAUTH_INVALID_RESPONSE", "invalid response", "unexpected state"))).toBe(
    "OAUTH_INVALID_RESPONSE: invalid response: unexpected state."
  )
  expect(describeFailure(new Error("The operation timed out."))).toBe("The operation timed out.")
})
