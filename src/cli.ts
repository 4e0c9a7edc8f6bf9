import { runCli } from "./app/cli.ts"

runCli(process.argv.slice(2))
