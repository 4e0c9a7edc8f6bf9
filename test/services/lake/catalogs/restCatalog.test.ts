import { describe } from "bun:test"
import { Redacted } from "effect"
import { makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import { CREDENTIALS, REGION, TABLE_BUCKET } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"
import { catalogContract } from "../../../layers/iceberg/catalog/catalogContract.ts"
import { areUp } from "../../areUp.ts"
import { lakeS3 } from "./lake.ts"

const { accessKeyId, secretAccessKey } = CREDENTIALS.s3
const rest = { type: "rest", uri: endpoint.icebergRest(), warehouse: TABLE_BUCKET, s3: lakeS3() } as const

describe.skipIf(!(await areUp("seaweedfs")))("SeaweedFS", () => {
  catalogContract("rest with OAuth2", {
    open: makeCatalog({
      ...rest,
      credential: Redacted.make(`${accessKeyId}:${secretAccessKey}`),
      oauth2ServerUri: endpoint.icebergRestTokens()
    }),
    filesAreOurs: false,
    refusesEveryStaleTable: false,
    createsAtomically: false
  })
  catalogContract("rest with SigV4", {
    open: makeCatalog({ ...rest, sigV4: { signingRegion: REGION } }),
    filesAreOurs: false,
    refusesEveryStaleTable: false,
    createsAtomically: false
  })
})
