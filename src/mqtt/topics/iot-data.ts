import type { TopicConvention } from './convention.ts'

/** `iot/data`: a sensor record that names its device and metric itself. */
export const iotData: TopicConvention = levels =>
  levels.length === 2 && levels[0] === 'iot' && levels[1] === 'data'
    ? { dialect: 'sensor', deviceId: '', metric: '', jsonPath: undefined, site: undefined }
    : undefined
