/**
 * Stands in for bowser, by which the client library would tell the server which browser this is: our server takes no
 * notice of it. See vite.config.ts.
 */
export default {
  parse: () => ({}),
};
