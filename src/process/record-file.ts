import { open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { constants, crc32, zstdCompress, zstdDecompressSync } from 'node:zlib'

const MAGIC = Buffer.from('WEIRREC2')
const HEAD_BYTES = 8
const compress = promisify(zstdCompress)
/** What a window of a sensor's values repeats, the fastest level finds. */
const FASTEST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/**
 * Writes a file of records (docs/formats/analytics.md) and puts it in the place of the last one:
 * whoever reads finds the old file or the new one, whole and durable. Records are taken one by one
 * with a turn of the event loop between, and packed on another thread, so keep them small (1 MB).
 */
export async function writeRecordFile(path: string, records: Iterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(MAGIC)
    for (const record of records) {
      const packed = await compress(record, FASTEST)
      const head = Buffer.alloc(HEAD_BYTES)
      head.writeUInt32LE(packed.byteLength, 0)
      head.writeUInt32LE(crc32(packed), 4)
      // All of it, also where a system call takes less.
      await file.writeFile([head, packed])
    }
    await file.datasync()
  } catch (error) {
    await file.close()
    await unlink(temporary).catch(() => {})
    throw error
  }
  await file.close()
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/**
 * The records of a file, unpacked; undefined when there is no file.
 *
 * @throws Error that says what is wrong with a file that is not whole.
 */
export async function readRecordFile(path: string): Promise<Uint8Array[] | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('it does not begin as one')
  const records: Uint8Array[] = []
  for (let at = MAGIC.length; at < bytes.length;) {
    const from = at + HEAD_BYTES
    if (from > bytes.length) throw new Error(`it ends within the head of record ${records.length}`)
    const end = from + bytes.readUInt32LE(at)
    if (end > bytes.length) throw new Error(`it ends within record ${records.length}`)
    const packed = bytes.subarray(from, end)
    if (crc32(packed) !== bytes.readUInt32LE(at + 4)) {
      throw new Error(`the checksum of record ${records.length} differs`)
    }
    records.push(zstdDecompressSync(packed))
    at = end
  }
  return records
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
