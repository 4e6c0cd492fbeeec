import { init } from "redoc/bundles/redoc.standalone.js";

// The search would make a worker's code out of text, which the content security policy refuses; without workers it runs here.
Reflect.deleteProperty(window, "Worker");

init("/openapi.json", { disableTelemetry: true }, document.getElementById("redoc"));
