/** Time as a dependency, so that tests turn it by hand. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number
  /** Runs `task` every `intervalMs` until the returned function is called. Never keeps a process alive. */
  every(intervalMs: number, task: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  every(intervalMs, task) {
    const timer = setInterval(task, intervalMs)
    timer.unref()
    return () => clearInterval(timer)
  },
}
