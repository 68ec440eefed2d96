/**
 * Runs `work` unless a run for the same key is under way, in which case its promise is shared.
 * Nothing is kept when it settles: the next call runs again, after a failure too.
 */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>

export function singleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>()
  const fly = async (key: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } finally {
      flights.delete(key)
    }
  }
  return (key, work) => {
    const known = flights.get(key)
    if (known !== undefined) return known
    // `work` starts in a microtask, so that the flight is known before it can land or call again.
    const flight = Promise.resolve().then(() => fly(key, work))
    flights.set(key, flight)
    return flight
  }
}
