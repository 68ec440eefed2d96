import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Of `st` in /proc/net/tcp (proc(5)). */
const LISTENING = '0A'

/**
 * The process of this machine that listens at a TCP port; undefined where it cannot be told: on
 * another system than Linux, or where it is another user's.
 */
export function listeningProcess(port: number): number | undefined {
  const sockets = new Set(['tcp', 'tcp6'].flatMap(file => listeningSockets(file, port)))
  if (sockets.size === 0) return undefined
  // The oldest of a family of processes that share the socket.
  return numbered('/proc')
    .sort((a, b) => a - b)
    .find(pid => openFiles(pid).some(file => sockets.has(file)))
}

function listeningSockets(file: string, port: number): string[] {
  let text: string
  try {
    text = readFileSync(`/proc/net/${file}`, 'utf8')
  } catch {
    return []
  }
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return text.split('\n').flatMap(line => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
    return local.endsWith(wanted) && state === LISTENING ? [`socket:[${inode}]`] : []
  })
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap(name => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${name}`)]
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}

function numbered(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter(name => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}
