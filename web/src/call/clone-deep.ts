/** Stands in for lodash's function of that name, which every browser with WebRTC brings along. See vite.config.ts. */
export default function cloneDeep<Value>(value: Value): Value {
  return structuredClone(value);
}
