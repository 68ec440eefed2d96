import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Of /proc/PID/stat, after the name: the state is the first, the start time the 20th (proc(5)). */
const START_FIELD = 19

/**
 * When a process began, in a form that only compares: with its id this names a process for ever,
 * which the id alone does not. Undefined when there is none, or one that has ended already.
 */
export function processStart(pid: number): string | undefined {
  if (process.platform !== 'linux') return portableStart(pid)
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[START_FIELD]
  } catch {
    return undefined
  }
}

function portableStart(pid: number): string | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const text = stdout?.trim()
  return text === '' ? undefined : text
}
