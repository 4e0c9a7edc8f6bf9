import { moto } from "./moto.ts"
import { postgres } from "./postgres.ts"
import type { Service } from "./Service.ts"
import { seaweedfs } from "./seaweedfs.ts"
import { trino } from "./trino.ts"

/** In start order: Trino connects to the others. */
export const SERVICES: ReadonlyArray<Service> = [postgres, seaweedfs, moto, trino]

/** All services, or those with these names; throws a `TypeError` for an unknown name. */
export const servicesNamed = (names: ReadonlyArray<string>): ReadonlyArray<Service> => {
  for (const name of names) {
    if (!SERVICES.some((service) => service.name === name)) {
      throw new TypeError(
        `There is no service ${name}. Services: ${SERVICES.map((service) => service.name).join(", ")}.`
      )
    }
  }
  return names.length === 0 ? SERVICES : SERVICES.filter(({ name }) => names.includes(name))
}
