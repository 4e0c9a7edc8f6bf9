import { Command } from "effect/cli"
import { compact } from "./compact.ts"
import { expire } from "./expire.ts"
import { flush } from "./flush.ts"
import { orphans } from "./orphans.ts"
import { recover } from "./recover.ts"
import { status } from "./status.ts"
import { verify } from "./verify.ts"

export const lake = Command.make("lake").pipe(
  Command.withDescription("Inspect and maintain the Iceberg lake (STORAGE_BACKEND=iceberg)"),
  Command.withSubcommands([status, flush, compact, expire, orphans, recover, verify])
)
