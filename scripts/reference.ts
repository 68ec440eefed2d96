// `npm run reference`: writes the pages of docs/reference that are made from the code.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { referencePages } from './reference-pages.ts'
import { root } from './root.ts'

for (const [path, text] of await referencePages()) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
  console.log(path)
}
