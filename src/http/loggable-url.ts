/** `p` and `u` are the password and the user of InfluxDB 1 clients. */
const SECRETS = /([?&](?:p|u|token|key|password|api_key|access_token)=)[^&]*/gi
/** The path of a ThingsBoard device. */
const TOKEN = /^(\/api\/v1\/)(?!telemetry\/|devices\/)[^/?]+(?=\/(?:telemetry|attributes)(?:$|\?))/
/** A key anywhere else: its id may be seen. */
const KEY = /weir_([a-z0-9]+)_[a-z0-9]*/gi

/** A request's URL as a log line may have it: without keys and passwords. */
export function loggableUrl(url: string): string {
  return url.replace(TOKEN, '$1***').replaceAll(SECRETS, '$1***').replaceAll(KEY, 'weir_$1_***')
}
