/** Stands in for Daily's call object, which would load a script from another host. See vite.config.ts. */
export default class NoDaily {
  static createCallObject(): never {
    throw new Error("Calls use the microphone directly; Daily's call object is not part of this page.");
  }
}
