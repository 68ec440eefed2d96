/**
 * Runs `work` when nothing else of this process writes to the catalog. With a shared catalog `work`
 * finds what other processes have changed; `since` is for its writes, and where these come too late
 * it runs again. Rejects as `work` does, and as the catalog.
 */
export type CatalogTurn = <T>(work: (since: number | undefined) => Promise<T>) => Promise<T>
