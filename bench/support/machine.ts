import { arch, cpus, platform, release, totalmem } from "node:os"

/** The machine that the numbers were measured on, in one line. */
export const describeMachine = (postgres: string): string => {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}`,
    `${memory} GiB`,
    `${platform()} ${release()} ${arch()}`,
    `Bun ${Bun.version}`,
    postgres
  ].join(", ")
}
