import { join } from "node:path"
import { wrongImports } from "./imports.ts"

const ROOT = join(import.meta.dir, "..")
let wrong = 0
for (const path of new Bun.Glob("{src,layers}/**/*.ts").scanSync(ROOT)) {
  for (const sentence of wrongImports(path, await Bun.file(join(ROOT, path)).text())) {
    console.error(sentence)
    wrong++
  }
}
process.exit(wrong === 0 ? 0 : 1)
