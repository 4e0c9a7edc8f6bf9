import { expect, test } from "bun:test"
import { isPlaceholderSecret } from "../../src/settings/appSecret.ts"

test.each([
  ["replace-me-with-a-random-string", true],
  ["Replace-Me-With-A-Random-String", true],
  ["<your-secret-here>", true],
  ['"changeme"', true],
  ["your secret here", true],
  ["CHANGE_ME_IN_PRODUCTION", true],
  ["umami", true],
  ["xxxxxxxxxxxxxxxx", true],
  ["7Qm0xk2mJ8vN3pR6tW9zC4fH5jL1aS0d", false],
  ["correct horse battery staple", false]
])("the secret %p is rejected as a placeholder: %p", (secret, refused) => {
  expect(isPlaceholderSecret(secret)).toBe(refused)
})
