/** Prints the migration that installs the channels' rules in Postgres, after a change of `src/query/channel`. */
import { channelMigration } from "../src/query/channel/channelMigration.ts"

console.log(channelMigration())
