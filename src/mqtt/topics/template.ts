import { WeirError } from '../../ports/errors.ts'
import type { TopicTemplate } from '../options.ts'
import type { TopicConvention } from './convention.ts'

/**
 * A configured topic such as `plant/{site}/{device_id}/{metric}`. A level is text or one
 * placeholder; names other than `device_id`, `metric` and `site` are ignored levels.
 *
 * Without `{metric}` the payload is a record of metrics, or with a path the one value there, and
 * its metric is the path: the name that it would have in the record.
 *
 * @throws WeirError of kind `config` when the template is wrong.
 */
export function compileTemplate({ template, path }: TopicTemplate): TopicConvention {
  const pattern = template.split('/')
  const places = new Map<string, number>()
  for (const [i, level] of pattern.entries()) {
    const name = /^\{([a-z_]+)\}$/.exec(level)?.[1]
    if (name === undefined && (level === '' || /[{}+#]/.test(level))) {
      throw wrong(template, `has the level "${level}", which is neither text nor {name}`)
    }
    if (name === undefined) continue
    if (places.has(name)) throw wrong(template, `names {${name}} twice`)
    places.set(name, i)
  }
  const device = places.get('device_id')
  if (device === undefined) throw wrong(template, 'does not name {device_id}')
  const variable = new Set(places.values())
  const metric = places.get('metric')
  const site = places.get('site')
  return levels => {
    if (levels.length !== pattern.length) return undefined
    for (let i = 0; i < pattern.length; i++) {
      if (levels[i] !== pattern[i] && !variable.has(i)) return undefined
    }
    return {
      dialect: metric === undefined && path === undefined ? 'record' : 'value',
      deviceId: levels[device],
      metric: metric === undefined ? (path ?? '') : levels[metric],
      jsonPath: path,
      site: site === undefined ? undefined : levels[site],
    }
  }
}

function wrong(template: string, problem: string): WeirError {
  return new WeirError('config', `mqtt.topics: the template "${template}" ${problem}`)
}
