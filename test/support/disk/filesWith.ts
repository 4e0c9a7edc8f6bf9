import { folderFiles, type SpoolFile, type SpoolFiles } from "../../../layers/spool/SpoolFiles.ts"

/** Folders of which each file that is made does some things otherwise. */
export const filesWith =
  (otherwise: (file: SpoolFile, name: string) => Partial<SpoolFile>) =>
  (folder: string): SpoolFiles => {
    const files = folderFiles(folder)
    return {
      ...files,
      create: async (name) => {
        const file = await files.create(name)
        return { ...file, ...otherwise(file, name) }
      }
    }
  }
