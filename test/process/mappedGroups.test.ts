import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { footfall } from "../cli/support.ts"
import { prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

test("full and doctor warn of a provider without a client, and of groups in OIDC_GROUP_MAP that do not exist", async () => {
  const environment = {
    ...(await prepareInstance(Redacted.value(await freshDatabase()))),
    OIDC_ISSUER: "https://accounts.example.com",
    OIDC_GROUP_MAP: '{"staff":["Analysts","administrators"]}'
  }
  await using full = await Footfall.start({ entry: "full", environment })
  const output = full.output.replaceAll('\\"', '"')
  expect(output).toContain(
    'OIDC_GROUP_MAP names the group "Analysts", which does not exist. Create it (`bun run footfall groups create`), or correct the name.'
  )
  expect(output).not.toContain('the group "administrators"')
  const unfinished = "OIDC_ISSUER is set but OIDC_CLIENT_ID is not, so users can't sign in with the identity provider"
  expect(output).toContain(`${unfinished}. Set OIDC_CLIENT_ID, or unset OIDC_ISSUER.`)
  const { out } = await footfall(["doctor", "--url", full.url], environment)
  expect(out).toContain('OIDC_GROUP_MAP names the group "Analysts", which does not exist\n')
  expect(out).toContain(unfinished)
}, 180_000)
