/** Fetches the next item while the caller has this one, and no further. */
export function prefetched<T>(open: () => AsyncGenerator<T>): AsyncIterable<T> {
  return {
    async *[Symbol.asyncIterator]() {
      const items = open()
      let next = items.next()
      // It may fail before the caller comes for it, or never comes.
      next.catch(() => undefined)
      try {
        for (;;) {
          const { done, value } = await next
          if (done === true) return
          next = items.next()
          next.catch(() => undefined)
          yield value
        }
      } finally {
        await next.catch(() => undefined)
        await items.return(undefined).catch(() => undefined)
      }
    },
  }
}
