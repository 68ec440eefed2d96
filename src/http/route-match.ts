import type { DocumentedRoute } from './openapi.ts'

/** The methods that a path takes, for 405 and `Allow`; empty where there is no such path. */
export function allowedMethods(routes: readonly DocumentedRoute[], url: string): string[] {
  const query = url.indexOf('?')
  const path = (query < 0 ? url : url.slice(0, query)).split('/')
  const methods = new Set<string>()
  for (const route of routes) {
    const pattern = route.url.split('/')
    if (pattern.length !== path.length) continue
    const fits = pattern.every((part, i) => (part[0] === ':' ? path[i] !== '' : part === path[i]))
    if (!fits) continue
    methods.add(route.method)
    if (route.method === 'GET' && route.head) methods.add('HEAD')
  }
  return [...methods].sort()
}
