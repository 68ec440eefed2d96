import { statfs } from 'node:fs/promises'

/** Blocks of a whole head of 128 MB, of values that do not compress, need about so much. */
const MOST_SPARE_BYTES = 128 << 20
/** Of a small disk this share is left. */
const SPARE_SHARE = 1 / 8
const SEGMENT_SHARE = 1 / 16

/**
 * Whether the log may become longer by `bytes`. It stops before the disk is full: the store needs
 * room to take over what the log holds, and only then is the log trimmed. If the log took the last
 * byte, neither could go on.
 */
export async function hasRoom(directory: string, bytes: number): Promise<boolean> {
  const { bavail, blocks, bsize } = await statfs(directory)
  return bavail * bsize - bytes >= Math.min(MOST_SPARE_BYTES, blocks * bsize * SPARE_SHARE)
}

/** The most that a segment may have on this disk: the last one cannot be removed to make room. */
export async function mostSegmentBytes(directory: string): Promise<number> {
  const { blocks, bsize } = await statfs(directory)
  // Some file systems do not say.
  return blocks === 0 ? Infinity : Math.floor(blocks * bsize * SEGMENT_SHARE)
}
